//! SHA-256, by which the corpus names strings that are too long to be written out.

/// The digest in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut state: [u32; 8] = first_bits(2, 8).try_into().unwrap();
    let rounds = first_bits(3, 64);
    let mut padded = bytes.to_vec();
    padded.push(0x80);
    padded.resize((padded.len() + 8).next_multiple_of(64), 0);
    let end = padded.len() - 8;
    padded[end..].copy_from_slice(&(bytes.len() as u64 * 8).to_be_bytes());
    for block in padded.chunks_exact(64) {
        let mut w: Vec<u32> =
            block.chunks_exact(4).map(|b| u32::from_be_bytes(b.try_into().unwrap())).collect();
        for i in 16..64 {
            let (x, y) = (w[i - 15], w[i - 2]);
            let s0 = x.rotate_right(7) ^ x.rotate_right(18) ^ (x >> 3);
            let s1 = y.rotate_right(17) ^ y.rotate_right(19) ^ (y >> 10);
            w.push(w[i - 16].wrapping_add(s0).wrapping_add(w[i - 7]).wrapping_add(s1));
        }
        let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = state;
        for (w, round) in w.iter().zip(&rounds) {
            let s1 = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
            let t1 = h.wrapping_add(s1).wrapping_add((e & f) ^ (!e & g)).wrapping_add(*round);
            let t1 = t1.wrapping_add(*w);
            let s0 = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
            let t2 = s0.wrapping_add((a & b) ^ (a & c) ^ (b & c));
            (h, g, f, e) = (g, f, e, d.wrapping_add(t1));
            (d, c, b, a) = (c, b, a, t1.wrapping_add(t2));
        }
        for (sum, add) in state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
            *sum = sum.wrapping_add(add);
        }
    }
    state.iter().map(|word| format!("{word:08x}")).collect()
}

/// The first 32 bits behind the point of the square (2) or cube (3) roots of the first primes.
fn first_bits(root: u32, count: usize) -> Vec<u32> {
    let primes = (2u128..).filter(|n| (2..*n).all(|m| n % m != 0));
    primes
        .take(count)
        .map(|prime| {
            // The greatest r with r^root <= prime * 2^(32 * root), without its whole part.
            let scaled = prime << (32 * root);
            let bit = |r: u128, bit: u32| match (r | (1 << bit)).pow(root) <= scaled {
                true => r | (1 << bit),
                false => r,
            };
            u32::try_from((0..36).rev().fold(0, bit) % (1 << 32)).unwrap()
        })
        .collect()
}

#[test]
fn the_standards_examples_come_out() {
    assert_eq!(hex(b""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_eq!(hex(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    let long = b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    assert_eq!(hex(long), "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    // One byte too many for the length to fit into the block of the end mark.
    assert_eq!(
        hex(&[b'x'; 63]),
        "75220b47218278e656f2013bb8f0c455a25eaf01e86c64924e9d48d89776d6f2"
    );
}

//! Intsets, built from integers in order.

/// Appends the intset of these integers, which have to ascend: all as wide as the widest needs.
pub(crate) fn build_intset(ascending: &[i64], out: &mut Vec<u8>) {
    let fits = |least: i64, most: i64| {
        ascending.first().is_none_or(|n| *n >= least) && ascending.last().is_none_or(|n| *n <= most)
    };
    let width: u32 = match () {
        () if fits(i64::from(i16::MIN), i64::from(i16::MAX)) => 2,
        () if fits(i64::from(i32::MIN), i64::from(i32::MAX)) => 4,
        () => 8,
    };
    out.extend_from_slice(&width.to_le_bytes());
    let count = u32::try_from(ascending.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&count.to_le_bytes());
    for n in ascending {
        let bytes = n.to_le_bytes();
        out.extend_from_slice(bytes.get(..width as usize).unwrap_or(&bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rdb::encoding::{Origin, intset::Intset};

    #[test]
    fn the_width_is_that_of_the_widest_and_all_is_read_back() {
        for (integers, width) in [
            (&[][..], 2),
            (&[-32_768, 0, 32_767], 2),
            (&[-32_769, 1], 4),
            (&[1, 32_768], 4),
            (&[-2_147_483_648, 2_147_483_647], 4),
            (&[-2_147_483_649], 8),
            (&[0, 2_147_483_648], 8),
            (&[i64::MIN, i64::MAX], 8),
        ] {
            let mut blob = Vec::new();
            build_intset(integers, &mut blob);
            let set = Intset::new(&blob, Origin::plain(0)).unwrap();
            assert_eq!(set.width(), width, "{integers:?}");
            assert_eq!(set.collect::<Vec<_>>(), integers);
        }
    }
}

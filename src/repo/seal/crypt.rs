//! The layer of age: where its header ends, and what its errors mean.

use crate::digest::Digest32;
use crate::error::{Error, Fault, Result};
use sha2::{Digest as _, Sha256};
use std::io::{self, Cursor, Read, Write};

/// Plain bytes of a chunk.
pub(super) const CHUNK: u64 = 64 << 10;
/// Bytes that authenticate a chunk.
pub(super) const TAG: u64 = 16;
/// Stored bytes of a chunk.
pub(super) const CHUNK_STORED: u64 = CHUNK + TAG;

/// How a binary age file begins.
pub(super) const MAGIC: &[u8] = b"age-encryption.org/";
/// How one in text begins.
pub(super) const ARMOR: &[u8] = b"-----BEGIN AGE ENCRYPTED FILE-----";

/// The longest header that is read or written: some 600 recipients, or 140 of ssh-rsa.
pub(super) const MOST_HEAD: usize = 64 << 10;
const NONCE: usize = 16;

/// How many bytes header and nonce take, where these bytes have all of them.
///
/// The header's last line begins with `---`, which no other line of it can.
pub(super) fn head_len(bytes: &[u8]) -> Option<usize> {
    let mac = bytes.windows(4).position(|four| four == b"\n---")? + 1;
    let line = bytes.get(mac..)?.iter().position(|byte| *byte == b'\n')?;
    Some(mac + line + 1 + NONCE).filter(|len| *len <= bytes.len())
}

/// Reads header and nonce, and no byte more.
pub(super) fn read_head(source: &mut impl Read) -> Result<Vec<u8>> {
    let (mut head, mut line) = (Vec::new(), 0);
    loop {
        let mut byte = [0];
        fill(source, &mut byte)?;
        head.extend(byte);
        if head.len() > MOST_HEAD {
            return Err(Error::at(Fault::SealHead, 0).with_detail("it is too long"));
        }
        if byte == *b"\n" {
            if head.get(line..).is_some_and(|line| line.starts_with(b"---")) {
                break;
            }
            line = head.len();
        }
    }
    let mut nonce = [0; NONCE];
    fill(source, &mut nonce)?;
    head.extend(nonce);
    Ok(head)
}

fn fill(source: &mut impl Read, buf: &mut [u8]) -> Result<()> {
    source.read_exact(buf).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof if error.get_ref().is_none_or(|own| !own.is::<Error>()) => {
            Error::from_fault(Fault::SealHead).with_detail("it ends inside its header")
        }
        _ => error.into(),
    })
}

pub(in crate::repo) fn sha256(bytes: &[u8]) -> Digest32 {
    Digest32::new(Sha256::digest(bytes).into())
}

/// A source whose own failures can be told from what age says of the bytes.
#[derive(Debug)]
pub(super) struct Marked<R>(pub(super) R);

impl<R: Read> Read for Marked<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf).map_err(|error| match error.kind() {
            io::ErrorKind::Interrupted => error,
            _ => io::Error::other(Error::from(error)),
        })
    }
}

/// What reads an age file whose head was read already.
pub(super) type Decrypting<R> = age::stream::StreamReader<io::Chain<Cursor<Vec<u8>>, R>>;

/// Opens a header, the rest of the file being in `rest`.
pub(super) fn decrypt<R: Read>(
    head: Vec<u8>,
    rest: R,
    identities: &[Box<dyn age::Identity + Send + Sync>],
) -> Result<Decrypting<R>> {
    opened(Cursor::new(head).chain(rest), identities)
}

/// The same for a source that gives the header too.
pub(super) fn opened<R: Read>(
    source: R,
    identities: &[Box<dyn age::Identity + Send + Sync>],
) -> Result<age::stream::StreamReader<R>> {
    let decryptor = age::Decryptor::new(source).map_err(header_error)?;
    if decryptor.is_scrypt() {
        return Err(Error::at(Fault::SealPassphrase, 0));
    }
    let identities = identities.iter().map(|identity| &**identity as &dyn age::Identity);
    decryptor.decrypt(identities).map_err(header_error)
}

/// What age says of a header, in our words.
pub(super) fn header_error(error: age::DecryptError) -> Error {
    use age::DecryptError::{
        ExcessiveWork, InvalidHeader, InvalidMac, Io, NoMatchingKeys, UnknownFormat,
    };
    let detail = match error {
        Io(error) if error.get_ref().is_some_and(|own| own.is::<Error>()) => return error.into(),
        NoMatchingKeys => return Error::at(Fault::SealNoKey, 0),
        UnknownFormat => "it is of another version of age",
        InvalidMac => "its checksum does not fit",
        InvalidHeader => "it cannot be read",
        ExcessiveWork { .. } => return Error::usage("the passphrase costs more work than allowed"),
        Io(_) => "it ends early",
        _ => "its key cannot be opened",
    };
    Error::at(Fault::SealHead, 0).with_detail(detail)
}

/// What reading the payload says, in our words.
pub(super) fn payload_error(error: io::Error) -> Error {
    match error.downcast::<Error>() {
        Ok(own) => own,
        Err(_) => Error::from_fault(Fault::SealAuth),
    }
}

/// Holds back what is written until it has the whole head, to know its length and digest.
#[derive(Debug)]
pub(super) struct HeadWriter<W> {
    head: Vec<u8>,
    seen: Option<(u64, Digest32)>,
    inner: W,
}

impl<W: Write> HeadWriter<W> {
    pub(super) fn new(inner: W) -> Self {
        HeadWriter { head: Vec::new(), seen: None, inner }
    }

    /// What is below, the head's length and its digest.
    pub(super) fn into_parts(self) -> Option<(W, u64, Digest32)> {
        let (len, digest) = self.seen?;
        Some((self.inner, len, digest))
    }
}

impl<W: Write> Write for HeadWriter<W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if self.seen.is_some() {
            return self.inner.write(buf);
        }
        self.head.extend_from_slice(buf);
        if let Some(len) = head_len(&self.head) {
            self.seen = Some((len as u64, sha256(self.head.get(..len).unwrap_or_default())));
            self.inner.write_all(&std::mem::take(&mut self.head))?;
        } else if self.head.len() > MOST_HEAD {
            return Err(io::Error::other(Error::usage("more recipients than a header may name")));
        }
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &[u8] = b"age-encryption.org/v1\n-> a b\nbody\n--- mac\n0123456789abcdef";

    #[test]
    fn a_head_ends_behind_its_nonce() {
        let mut long = HEAD.to_vec();
        long.extend_from_slice(b"\n---\nmore");
        assert_eq!(head_len(&long), Some(HEAD.len()));
        assert_eq!(head_len(&HEAD[..HEAD.len() - 1]), None);
        assert_eq!(read_head(&mut &long[..]).unwrap(), HEAD);
    }

    #[test]
    fn a_head_that_does_not_end_is_no_burden() {
        let fault = |mut bytes: &[u8]| read_head(&mut bytes).unwrap_err().fault();
        assert_eq!(fault(&HEAD[..30]), Some(Fault::SealHead));
        assert_eq!(fault(&vec![b'\n'; 1 << 20]), Some(Fault::SealHead));
    }

    #[test]
    fn what_is_locked_with_a_passphrase_is_called_so() {
        let mut recipient = age::scrypt::Recipient::new("open sesame".to_owned().into());
        recipient.set_work_factor(1);
        let age = age::Encryptor::with_recipients(std::iter::once(&recipient as _)).unwrap();
        let file = age.wrap_output(Vec::new()).unwrap().finish().unwrap();
        let error = opened(&file[..], &[]).err().unwrap();
        assert_eq!(error.fault(), Some(Fault::SealPassphrase));
    }
}

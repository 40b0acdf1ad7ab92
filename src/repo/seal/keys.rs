//! Whom parts are encrypted for, and the keys that open them.

use crate::error::{Error, Fault, Result};
use crate::repo::seal::crypt;
use age::armor::ArmoredReader;
use age::secrecy::{ExposeSecret, SecretString};
use std::fmt;
use std::io::{BufRead, BufReader, Read};
use std::sync::Arc;

/// The most that is read of a file of keys: far above any.
const MOST_FILE: u64 = 1 << 20;

/// Whom a part is encrypted for: public keys, any one of whose secret keys opens it.
///
/// ```
/// use redkeep::repo::seal::Recipients;
/// let file = "# of the backup host\nage1jjc9k3926rd7qwrhat72gaapma05e628kpn7kaxlfnue8esasggs4wa3j6\n";
/// assert_eq!(Recipients::parse(file)?.len(), 1);
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct Recipients(Vec<Arc<dyn age::Recipient + Send + Sync>>);

impl Recipients {
    /// Reads what a file of recipients holds, as `age -R` does: one public key a line, empty lines
    /// and lines from `#` on left out. Keys are `age1...`, and with feature `repo-ssh` those of
    /// `ssh-ed25519` and `ssh-rsa`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage) with the number of the line that is no key of
    /// these kinds, but not its text, or where there is none.
    pub fn parse(text: &str) -> Result<Self> {
        let mut recipients = Vec::new();
        for (at, line) in text.lines().enumerate() {
            let line = line.trim();
            if !line.is_empty() && !line.starts_with('#') {
                recipients.push(recipient(line).map_err(|what| {
                    Error::usage(format!("line {} of the recipients: {what}", at + 1))
                })?);
            }
        }
        if recipients.is_empty() {
            return Err(Error::usage("no recipient is named"));
        }
        Ok(Recipients(recipients))
    }

    /// These and those.
    #[must_use]
    pub fn and(mut self, others: Recipients) -> Self {
        self.0.extend(others.0);
        self
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none: then nothing can be encrypted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn encryptor(&self) -> Result<age::Encryptor> {
        let recipients = self.0.iter().map(|one| &**one as &dyn age::Recipient);
        age::Encryptor::with_recipients(recipients)
            .map_err(|_| Error::usage("these recipients cannot be used together, or are none"))
    }
}

impl fmt::Debug for Recipients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recipients({})", self.0.len())
    }
}

fn recipient(line: &str) -> Result<Arc<dyn age::Recipient + Send + Sync>, &'static str> {
    if line.get(..15).is_some_and(|begin| begin.eq_ignore_ascii_case("AGE-SECRET-KEY-")) {
        return Err("this is a secret key; what is wanted is the public key of it");
    }
    if line.starts_with("ssh-") {
        return ssh_recipient(line);
    }
    match line.parse::<age::x25519::Recipient>() {
        Ok(key) => Ok(Arc::new(key)),
        Err(_) => Err("not a public key (age1...)"),
    }
}

#[cfg(feature = "repo-ssh")]
fn ssh_recipient(line: &str) -> Result<Arc<dyn age::Recipient + Send + Sync>, &'static str> {
    match line.parse::<age::ssh::Recipient>() {
        Ok(key) => Ok(Arc::new(key)),
        Err(_) => Err("not a public key of ssh-ed25519 or ssh-rsa"),
    }
}

#[cfg(not(feature = "repo-ssh"))]
fn ssh_recipient(_: &str) -> Result<Arc<dyn age::Recipient + Send + Sync>, &'static str> {
    Err("keys of SSH need the feature `repo-ssh`")
}

/// A new key: the secret one, and the public one of it (X25519).
///
/// ```
/// use redkeep::repo::seal::{Identities, KeyPair, Recipients};
/// let pair = KeyPair::made_up();
/// assert_eq!(Recipients::parse(&pair.public())?.len(), 1);
/// assert_eq!(Identities::read(pair.to_file().as_bytes(), || None)?.len(), 1);
/// assert_eq!(format!("{pair:?}"), format!("KeyPair({})", pair.public()));
/// # Ok::<(), redkeep::Error>(())
/// ```
pub struct KeyPair(age::x25519::Identity);

impl KeyPair {
    /// One that nobody else has, from the system's randomness.
    #[must_use]
    pub fn made_up() -> KeyPair {
        KeyPair(age::x25519::Identity::generate())
    }

    /// The public key, as [`Recipients`] are read.
    #[must_use]
    pub fn public(&self) -> String {
        self.0.to_public().to_string()
    }

    /// The secret key as a file that [`Identities::read`] and age read. Whoever has it opens all that is
    /// encrypted for the public one.
    #[must_use]
    pub fn to_file(&self) -> String {
        format!("# public key: {}\n{}\n", self.public(), self.0.to_string().expose_secret())
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyPair({})", self.public())
    }
}

/// What protects a file of keys. Its text is wiped from memory when it is dropped, and is never shown.
///
/// ```
/// use redkeep::repo::seal::Passphrase;
/// let passphrase = Passphrase::from("correct horse".to_owned());
/// assert_eq!(format!("{passphrase:?}"), "Passphrase");
/// ```
pub struct Passphrase(SecretString);

impl From<String> for Passphrase {
    fn from(text: String) -> Self {
        Passphrase(text.into())
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase")
    }
}

/// Secret keys that open parts. They are never shown, and wiped from memory where the age crate does.
///
/// ```
/// use redkeep::repo::seal::Identities;
/// let file = "# created: 2026-11-20\n\
///     AGE-SECRET-KEY-1QTRWTL30YZAHSN085A9RNLDWKNQFYTQTWPKTJD63TJW40F2KNH7QTLV85C\n";
/// let identities = Identities::read(file.as_bytes(), || None)?;
/// assert_eq!(format!("{identities:?}"), "Identities(1)");
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct Identities(Arc<Vec<Box<dyn age::Identity + Send + Sync>>>);

impl Identities {
    /// The most work that the passphrase of a file may cost, as a power of two: 22, which takes
    /// 4 GiB of memory. `age -p` writes 18, and takes 256 MiB.
    pub const MOST_WORK: u8 = 22;

    /// Reads a file of keys: as `age-keygen` writes it, or one that `age -p` encrypted with a
    /// passphrase, in binary or as text; with feature `repo-ssh` a private key of SSH too. The
    /// passphrase is asked for only where there is one.
    ///
    /// Opening a file with a passphrase takes about a second and much memory, and is done here
    /// only: keep what it gives for the whole run.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage) where there is no key of these kinds, a line is
    /// none (its number is said, not its text), no passphrase is given or the wrong one;
    /// [`Fault::SealHead`] where the encrypted file is damaged; what reading fails with.
    pub fn read(file: impl Read, passphrase: impl FnOnce() -> Option<Passphrase>) -> Result<Self> {
        Self::read_within(file, passphrase, Self::MOST_WORK)
    }

    /// The same with another limit to the work than [`MOST_WORK`](Self::MOST_WORK).
    ///
    /// # Errors
    ///
    /// Those of [`read`](Self::read).
    pub fn read_within(
        file: impl Read,
        passphrase: impl FnOnce() -> Option<Passphrase>,
        most_work: u8,
    ) -> Result<Self> {
        let mut file = BufReader::new(crypt::Marked(file).take(MOST_FILE));
        let begin = file.fill_buf()?;
        let list = if begin.starts_with(crypt::MAGIC) || begin.starts_with(crypt::ARMOR) {
            // The reader of text passes on what is binary.
            unlocked(ArmoredReader::new(file), passphrase, most_work)?
        } else if begin.starts_with(b"-----BEGIN") {
            vec![ssh_identity(file, passphrase)?]
        } else {
            plain(file)?
        };
        if list.is_empty() {
            return Err(Error::usage("the file holds no secret key"));
        }
        Ok(Identities(Arc::new(list)))
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none: then nothing that is encrypted can be opened.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn list(&self) -> &[Box<dyn age::Identity + Send + Sync>] {
        &self.0
    }
}

impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identities({})", self.0.len())
    }
}

type List = Vec<Box<dyn age::Identity + Send + Sync>>;

fn plain(file: impl BufRead) -> Result<List> {
    let file = age::IdentityFile::from_buffer(file).map_err(|error| match error.get_ref() {
        Some(own) if own.is::<Error>() => Error::from(error),
        // It names the line only.
        _ => Error::usage(format!("{error}")),
    })?;
    file.into_identities().map_err(crypt::header_error)
}

fn unlocked(
    file: impl Read,
    passphrase: impl FnOnce() -> Option<Passphrase>,
    most_work: u8,
) -> Result<List> {
    let decryptor = age::Decryptor::new(file).map_err(crypt::header_error)?;
    if !decryptor.is_scrypt() {
        return Err(Error::usage("the file of keys is encrypted, but with no passphrase"));
    }
    let Some(Passphrase(passphrase)) = passphrase() else {
        return Err(Error::usage("the file of keys is encrypted, and no passphrase was given"));
    };
    let mut key = age::scrypt::Identity::new(passphrase);
    key.set_max_work_factor(most_work);
    let opened = decryptor.decrypt(std::iter::once(&key as &dyn age::Identity));
    let file = opened.map_err(|error| match error {
        age::DecryptError::DecryptionFailed
        | age::DecryptError::KeyDecryptionFailed
        | age::DecryptError::NoMatchingKeys => {
            Error::usage("the passphrase is not that of this file")
        }
        error => crypt::header_error(error),
    })?;
    plain(BufReader::new(Damaged(file)))
}

/// Says of a payload that cannot be decrypted that it is damaged.
struct Damaged<R>(R);

impl<R: Read> Read for Damaged<R> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(buf).map_err(|error| std::io::Error::other(crypt::payload_error(error)))
    }
}

#[cfg(feature = "repo-ssh")]
fn ssh_identity(
    file: impl BufRead,
    passphrase: impl FnOnce() -> Option<Passphrase>,
) -> Result<Box<dyn age::Identity + Send + Sync>> {
    use age::ssh::Identity;
    let wrong = |_| Error::usage("the file is no private key of SSH that can be read");
    match Identity::from_buffer(file, None).map_err(wrong)? {
        Identity::Encrypted(key) => {
            let Some(Passphrase(passphrase)) = passphrase() else {
                return Err(Error::usage("the key is encrypted, and no passphrase was given"));
            };
            let key = key.decrypt(passphrase);
            let key = key.map_err(|_| Error::usage("the passphrase is not that of this key"))?;
            Ok(Box::new(Identity::from(key)))
        }
        key @ Identity::Unencrypted(_) => Ok(Box::new(key)),
        Identity::Unsupported(_) => Err(Error::usage(
            "only keys of ssh-ed25519 and ssh-rsa that SSH holds itself can be used",
        )),
    }
}

#[cfg(not(feature = "repo-ssh"))]
fn ssh_identity(
    _: impl BufRead,
    _: impl FnOnce() -> Option<Passphrase>,
) -> Result<Box<dyn age::Identity + Send + Sync>> {
    Err(Error::usage("keys of SSH need the feature `repo-ssh`"))
}

/// What opening an encrypted part needs, or the error that it is missing.
pub(super) fn needed(identities: Option<&Identities>) -> Result<&Identities> {
    identities
        .filter(|list| !list.is_empty())
        .ok_or_else(|| Error::at(Fault::SealNoKey, 0).with_detail("no key was given"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str =
        "AGE-SECRET-KEY-1QTRWTL30YZAHSN085A9RNLDWKNQFYTQTWPKTJD63TJW40F2KNH7QTLV85C";
    const PUBLIC: &str = "age1jjc9k3926rd7qwrhat72gaapma05e628kpn7kaxlfnue8esasggs4wa3j6";

    #[test]
    fn a_line_that_is_no_recipient_is_named_by_number_only() {
        let refused = |text: &str| Recipients::parse(text).unwrap_err().to_string();
        let error = refused(&format!("# us\n{PUBLIC}\n{SECRET}\n"));
        assert!(error.contains("line 3") && error.contains("secret key"), "{error}");
        assert!(!error.contains("1QTRWT"), "{error}");
        assert!(refused("age1nonsense").contains("line 1"));
        assert!(refused("\n# nobody\n").contains("no recipient"));
        #[cfg(not(feature = "repo-ssh"))]
        assert!(refused("ssh-ed25519 AAAA").contains("repo-ssh"));
    }

    #[test]
    fn keys_are_never_shown() {
        let identities = Identities::read(SECRET.as_bytes(), || None).unwrap();
        assert_eq!(format!("{identities:?}"), "Identities(1)");
        let broken = format!("{SECRET}X\n");
        let error = Identities::read(broken.as_bytes(), || None).unwrap_err();
        assert!(error.to_string().contains("line 1"), "{error}");
        assert!(!format!("{error} {error:?}").contains("1QTRWT"));
    }

    #[test]
    fn a_file_without_keys_is_refused() {
        for file in ["", "# nothing\n", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n"] {
            let error = Identities::read(file.as_bytes(), || None).unwrap_err();
            assert_eq!(error.kind(), crate::ErrorKind::Usage, "{file}: {error}");
        }
    }

    fn locked(work: u8, armored: bool) -> Vec<u8> {
        use std::io::Write;
        let mut recipient = age::scrypt::Recipient::new("open sesame".to_owned().into());
        recipient.set_work_factor(work);
        let age = age::Encryptor::with_recipients(std::iter::once(&recipient as _)).unwrap();
        let format = match armored {
            true => age::armor::Format::AsciiArmor,
            false => age::armor::Format::Binary,
        };
        let out = age::armor::ArmoredWriter::wrap_output(Vec::new(), format).unwrap();
        let mut writer = age.wrap_output(out).unwrap();
        writer.write_all(format!("# ours\n{SECRET}\n").as_bytes()).unwrap();
        writer.finish().unwrap().finish().unwrap()
    }

    fn open(file: &[u8], passphrase: &str) -> Result<Identities> {
        Identities::read_within(file, || Some(passphrase.to_owned().into()), 10)
    }

    #[test]
    fn a_file_with_a_passphrase_opens_with_it_alone() {
        for armored in [false, true] {
            let file = locked(4, armored);
            assert_eq!(open(&file, "open sesame").unwrap().len(), 1);
            let error = open(&file, "open barley").unwrap_err();
            assert!(error.to_string().contains("passphrase is not that"), "{error}");
            let error = Identities::read(&file[..], || None).unwrap_err();
            assert!(error.to_string().contains("no passphrase was given"), "{error}");
        }
        let error = open(&locked(11, false), "open sesame").unwrap_err();
        assert!(error.to_string().contains("more work"), "{error}");
    }

    #[test]
    fn a_damaged_file_with_a_passphrase_gives_no_key() {
        let file = locked(2, false);
        for at in 0..file.len() {
            let mut file = file.clone();
            file[at] ^= 1;
            assert!(open(&file, "open sesame").is_err(), "byte {at}");
            assert!(open(&file[..at], "open sesame").is_err(), "{at} bytes");
        }
    }
}

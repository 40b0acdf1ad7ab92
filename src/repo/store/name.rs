//! Names that every store can keep.

use crate::error::{Error, Fault, Result, printable};
use std::fmt;

/// Bytes of the longest name: S3 takes 1024, and the place of the archive stands in front.
const LONGEST: usize = 900;
/// Bytes of the longest part: file systems take 255.
const LONGEST_PART: usize = 200;

/// The name of an object: parts between `/`, from the top of the store down.
///
/// It means the same in a folder, in an address and in a shell, whatever the store: a part is 1 to 200
/// of the signs `A-Z a-z 0-9 . _ - + = @ ,` and neither begins nor ends with a dot; all of it is at
/// most 900 bytes. So no name leads out of a store, or to something hidden.
///
/// ```
/// use redkeep::repo::store::ObjectName;
/// let name = ObjectName::new("prod/20261120T020000Z/dump.rdb.zst.age")?;
/// assert_eq!(name.as_str().split('/').count(), 3);
/// for bad in ["", "/prod", "prod/", "a//b", "../b", "a/.b", "a b", "a\\b", "\u{e4}"] {
///     assert!(ObjectName::new(bad).is_err(), "{bad}");
/// }
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectName(String);

impl ObjectName {
    /// Checks a name.
    ///
    /// # Errors
    /// `Usage` with the fault `ObjectName`, which says what is wrong with it.
    pub fn new(name: impl Into<String>) -> Result<ObjectName> {
        let name = name.into();
        match wrong(&name) {
            None => Ok(ObjectName(name)),
            Some(why) => Err(Error::from_fault(Fault::ObjectName)
                .with_detail(format!("\"{}\" {why}", printable(name.as_bytes())))),
        }
    }

    /// The name of something in this folder.
    ///
    /// ```
    /// use redkeep::repo::store::ObjectName;
    /// let backup = ObjectName::new("prod/20261120T020000Z")?;
    /// assert_eq!(backup.join("manifest.json")?.as_str(), "prod/20261120T020000Z/manifest.json");
    /// # Ok::<(), redkeep::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn join(&self, rest: &str) -> Result<ObjectName> {
        ObjectName::new(format!("{}/{rest}", self.0))
    }

    /// One that is known to be right.
    pub(crate) fn of_part(part: &'static str) -> ObjectName {
        ObjectName(part.to_owned())
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is the name of something in a folder, at whatever depth; everything is in None.
    #[must_use]
    pub fn is_below(&self, folder: Option<&ObjectName>) -> bool {
        folder.is_none_or(|folder| {
            self.0.strip_prefix(folder.as_str()).is_some_and(|rest| rest.starts_with('/'))
        })
    }
}

fn wrong(name: &str) -> Option<String> {
    if name.len() > LONGEST {
        return Some(format!("is longer than {LONGEST} bytes"));
    }
    name.split('/').find_map(|part| {
        let sane = |byte: u8| byte.is_ascii_alphanumeric() || b"._-+=@,".contains(&byte);
        if part.is_empty() {
            Some("has an empty part".to_owned())
        } else if part.len() > LONGEST_PART {
            Some(format!("has a part longer than {LONGEST_PART} bytes"))
        } else if part.starts_with('.') || part.ends_with('.') {
            Some("has a part that begins or ends with a dot".to_owned())
        } else if !part.bytes().all(sane) {
            Some("has signs other than A-Z a-z 0-9 . _ - + = @ ,".to_owned())
        } else {
            None
        }
    })
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for ObjectName {
    type Err = Error;

    fn from_str(name: &str) -> Result<ObjectName> {
        ObjectName::new(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_end_where_file_systems_and_services_do() {
        let part = "p".repeat(LONGEST_PART);
        assert!(ObjectName::new(part.as_str()).is_ok());
        assert!(ObjectName::new(format!("{part}p")).is_err());
        let whole = vec!["p".repeat(99); 9].join("/"); // 899 bytes
        assert!(ObjectName::new(format!("{whole}p")).is_ok());
        let error = ObjectName::new(format!("{whole}pp")).unwrap_err();
        assert_eq!(error.fault(), Some(Fault::ObjectName));
        assert!(error.to_string().len() < 200, "{error}");
    }

    #[test]
    fn a_folder_is_no_mere_beginning() {
        let name = |name: &str| ObjectName::new(name).unwrap();
        assert!(name("a/b/c").is_below(Some(&name("a"))) && name("a").is_below(None));
        assert!(!name("ab/c").is_below(Some(&name("a"))));
        assert!(!name("a").is_below(Some(&name("a"))));
    }
}

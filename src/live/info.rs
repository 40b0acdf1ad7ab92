//! What INFO says, by name.

use crate::error::Result;
use crate::live::reply::{bytes, demand, unexpected};
use redis::ConnectionLike;
use std::collections::BTreeMap;
use std::str::FromStr;

/// The fields of an INFO answer; of a name that comes twice the last one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Info {
    fields: BTreeMap<String, String>,
    modules: Vec<String>,
}

impl Info {
    /// Asks for all usual sections.
    pub(crate) fn ask(connection: &mut (impl ConnectionLike + ?Sized)) -> Result<Info> {
        Info::of(connection, &["INFO"])
    }

    /// Asks for one section.
    pub(crate) fn section(
        connection: &mut (impl ConnectionLike + ?Sized),
        name: &str,
    ) -> Result<Info> {
        Info::of(connection, &["INFO", name])
    }

    fn of(connection: &mut (impl ConnectionLike + ?Sized), words: &[&str]) -> Result<Info> {
        let answer = demand(connection, words)?;
        Ok(Info::parse(bytes(&answer).ok_or_else(|| unexpected("INFO"))?))
    }

    pub(crate) fn parse(answer: &[u8]) -> Info {
        let text = String::from_utf8_lossy(answer);
        let mut info = Info::default();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let Some((name, value)) = line.split_once(':') else { continue };
            if name == "module" {
                info.modules.push(value.to_owned()); // one line each, all of the same name
            }
            info.fields.insert(name.to_owned(), value.to_owned());
        }
        info
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str)
    }

    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.get(name).filter(|value| !value.is_empty()).map(str::to_owned)
    }

    pub(crate) fn number<T: FromStr>(&self, name: &str) -> Option<T> {
        self.get(name)?.parse().ok()
    }

    /// Whether a field is there and not zero.
    pub(crate) fn is_set(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value != "0")
    }

    /// The fields whose names begin so, with the rest of their names.
    pub(crate) fn beginning<'a>(
        &'a self,
        prefix: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.fields
            .iter()
            .filter_map(move |(name, value)| Some((name.strip_prefix(prefix)?, value.as_str())))
    }

    /// What was said of each module.
    pub(crate) fn modules(&self) -> &[String] {
        &self.modules
    }
}

/// One value of a field like `keys=3,expires=0`; pairs that are not known are no harm.
pub(crate) fn part<'a>(value: &'a str, name: &str) -> Option<&'a str> {
    value.split(',').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_name() {
        let info = Info::parse(
            b"# Server\r\nredis_version:7.0.15\r\nconfig_file:\r\n\r\n# Modules\r\nmodule:name=a\r\n\
              module:name=b,ver=2\r\ndb0:keys=3,expires=1\r\n",
        );
        assert_eq!(info.get("redis_version"), Some("7.0.15"));
        assert_eq!(info.text("config_file"), None);
        assert_eq!(info.modules(), ["name=a", "name=b,ver=2"]);
        assert_eq!(info.beginning("db").collect::<Vec<_>>(), [("0", "keys=3,expires=1")]);
        assert_eq!(part("keys=3,expires=1", "expires"), Some("1"));
        assert_eq!(part("keys=3,expires=1", "exp"), None);
    }
}

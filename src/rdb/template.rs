//! Hash templates (Redis 8.10, opcode 242): field names written once, referred to by many hashes.

use crate::error::{Error, Fault, Result};
use crate::rdb::string::{Str, StrBuf};
use crate::wire::cursor::Cursor;
use std::collections::HashMap;

/// How many fields each template has: all that framing needs.
#[derive(Debug, Default)]
pub(crate) struct TemplateSizes {
    sizes: HashMap<u64, u64>,
}

impl TemplateSizes {
    pub(crate) fn get(&self, id: u64) -> Option<u64> {
        self.sizes.get(&id).copied()
    }

    pub(crate) fn add(&mut self, id: u64, fields: u64, limit: usize) -> Result<(), Fault> {
        if self.sizes.len() >= limit {
            return Err(Fault::Templates);
        }
        match self.sizes.insert(id, fields) {
            Some(_) => Err(Fault::TemplateTwice),
            None => Ok(()),
        }
    }
}

/// A declared template, as an event shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashTemplate<'a> {
    /// The number that hashes refer to.
    pub id: u64,
    /// How many fields it has.
    pub fields: u64,
    pub(crate) raw: &'a [u8],
    pub(crate) offset: u64,
}

/// The field names of the templates seen so far, for decoding the hashes that refer to them.
#[derive(Debug, Default)]
pub(crate) struct Templates {
    names: HashMap<u64, Names>,
}

/// Strings end to end.
#[derive(Debug, Default)]
pub(crate) struct Names {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Names {
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    pub(crate) fn push(&mut self, name: &[u8]) {
        self.bytes.extend_from_slice(name);
        self.ends.push(self.bytes.len());
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    #[inline]
    pub(crate) fn get(&self, at: usize) -> Option<&[u8]> {
        let end = *self.ends.get(at)?;
        let start = match at.checked_sub(1) {
            Some(before) => *self.ends.get(before)?,
            None => 0,
        };
        self.bytes.get(start..end)
    }
}

impl Templates {
    pub(crate) fn get(&self, id: u64) -> Option<&Names> {
        self.names.get(&id)
    }

    pub(crate) fn add(&mut self, template: &HashTemplate<'_>, buf: &mut StrBuf) -> Result<()> {
        let mut names = Names::default();
        let mut c = Cursor::new(template.raw);
        while !c.is_empty() {
            let at = template.offset + (template.raw.len() - c.left()) as u64;
            let name: Str<'_> = c.string().map_err(|_| Error::at(Fault::TemplateFields, at))?;
            names.push(name.bytes(buf).map_err(|error| error.or_at(at))?);
        }
        self.names.insert(template.id, names);
        Ok(())
    }
}

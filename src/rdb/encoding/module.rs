//! The opcode stream of module values, module data and key metadata.
//!
//! A flat list of typed fields behind small opcodes, ended by 0: what can always be passed and
//! copied without the module.
//!
//! ```text
//! 1 len  signed     2 len  unsigned     3 f32le     4 f64le     5 str     0  end
//! ```

use crate::error::Fault;
use crate::rdb::string::Str;
use crate::wire::cursor::{Cursor, Res};

/// One field of a module's value.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum ModuleOp<'a> {
    /// The end of the value.
    End,
    /// A signed number.
    Signed(i64),
    /// An unsigned number.
    Unsigned(u64),
    /// A 32-bit float.
    Float(f32),
    /// A 64-bit float.
    Double(f64),
    /// A string.
    Text(Str<'a>),
}

impl<'a> ModuleOp<'a> {
    #[inline]
    pub(crate) fn read(c: &mut Cursor<'a>) -> Res<ModuleOp<'a>> {
        let before = *c;
        Ok(match c.length()? {
            0 => ModuleOp::End,
            1 => ModuleOp::Signed(c.length()?.cast_signed()),
            2 => ModuleOp::Unsigned(c.length()?),
            3 => ModuleOp::Float(f32::from_le_bytes(c.array()?)),
            4 => ModuleOp::Double(c.f64_le()?),
            5 => ModuleOp::Text(c.string()?),
            _ => return Err(before.bad(Fault::ModuleOpcode)),
        })
    }

    /// Passes fields up to and including the end.
    pub(crate) fn pass_all(c: &mut Cursor<'a>) -> Res<()> {
        while ModuleOp::read(c)? != ModuleOp::End {}
        Ok(())
    }
}

/// A module type's identity: nine characters and an encoding version, packed in 64 bits.
///
/// ```
/// use redkeep::rdb::encoding::module::ModuleId;
/// let id = ModuleId::new(0xbde7_2da2_bb1e_b400);
/// assert_eq!((id.name().as_str(), id.version()), ("vectorset", 0));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ModuleId(u64);

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

impl ModuleId {
    /// The identity as stored.
    #[must_use]
    pub const fn new(stored: u64) -> Self {
        ModuleId(stored)
    }

    /// The number as stored.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The type's name, nine characters.
    #[must_use]
    pub fn name(self) -> String {
        characters::<9>(self.0 >> 10)
    }

    /// The version of the module's own encoding, 0 to 1023.
    #[must_use]
    pub const fn version(self) -> u64 {
        self.0 & 1023
    }
}

/// The last `N` groups of six bits as characters, the highest first.
pub(crate) fn characters<const N: usize>(packed: u64) -> String {
    (0..N)
        .rev()
        .filter_map(|at| {
            let six = usize::try_from(packed >> (6 * at) & 63).ok()?;
            ALPHABET.get(six).map(|&byte| char::from(byte))
        })
        .collect()
}

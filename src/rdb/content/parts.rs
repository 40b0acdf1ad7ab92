//! What hashes, arrays and module values are made of.

use crate::rdb::encoding::module::ModuleId;
use crate::time::UnixMillis;
use crate::wire::number::parse_integer;
use bytes::Bytes;
use std::fmt;

/// A field of a hash.
///
/// ```
/// use redkeep::{UnixMillis, rdb::HashField};
/// let field = HashField::new("token", "abc").expires(UnixMillis::new(2_000_000_000_000));
/// assert_eq!(field.field, "token");
/// assert!(field.expires.is_some());
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HashField {
    /// Its name.
    pub field: Bytes,
    /// Its value.
    pub value: Bytes,
    /// When it expires (Redis 7.4, Valkey 9): 1 to 2^48-1 ms.
    pub expires: Option<UnixMillis>,
}

impl HashField {
    /// A field that does not expire.
    #[must_use]
    pub fn new(field: impl Into<Bytes>, value: impl Into<Bytes>) -> HashField {
        HashField { field: field.into(), value: value.into(), expires: None }
    }

    /// Sets [`expires`](Self::expires).
    #[must_use]
    pub fn expires(mut self, at: UnixMillis) -> HashField {
        self.expires = Some(at);
        self
    }
}

/// Shows no content: values are never logged.
impl fmt::Debug for HashField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { field, value, expires } = self;
        write!(f, "HashField({} bytes, {} bytes, {expires:?})", field.len(), value.len())
    }
}

/// A sparse array (Redis 8.8).
///
/// ```
/// use redkeep::rdb::{ArrayContent, ArrayValue};
/// let mut array = ArrayContent::default();
/// array.elements.push((7, ArrayValue::Int(42)));
/// assert_eq!(array.cursor, None);
/// ```
#[derive(Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct ArrayContent {
    /// The index that was inserted at last; none before the first insertion.
    pub cursor: Option<u64>,
    /// Indexes, ascending and below 2^64-1, and what is there.
    pub elements: Vec<(u64, ArrayValue)>,
}

/// Shows no content: values are never logged.
impl fmt::Debug for ArrayContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Array({}, cursor {:?})", self.elements.len(), self.cursor)
    }
}

/// An element of a sparse array. Text that is a canonical integer equals that integer, as it does to
/// clients; floats are equal bit for bit.
///
/// ```
/// use redkeep::rdb::ArrayValue;
/// assert_eq!(ArrayValue::Text("42".into()), ArrayValue::Int(42));
/// assert_ne!(ArrayValue::Text("042".into()), ArrayValue::Int(42));
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub enum ArrayValue {
    /// A string.
    Text(Bytes),
    /// An integer.
    Int(i64),
    /// A floating-point number.
    Float(f64),
}

impl ArrayValue {
    /// The integer that it is or reads as.
    pub(crate) fn integer(&self) -> Option<i64> {
        match self {
            ArrayValue::Text(text) => parse_integer(text),
            ArrayValue::Int(n) => Some(*n),
            ArrayValue::Float(_) => None,
        }
    }
}

impl PartialEq for ArrayValue {
    fn eq(&self, other: &ArrayValue) -> bool {
        match (self, other) {
            (ArrayValue::Text(a), ArrayValue::Text(b)) => a == b,
            (ArrayValue::Float(a), ArrayValue::Float(b)) => a.to_bits() == b.to_bits(),
            (a, b) => a.integer().is_some() && a.integer() == b.integer(),
        }
    }
}

/// Shows no content: values are never logged.
impl fmt::Debug for ArrayValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ArrayValue::Text(text) => write!(f, "Text({} bytes)", text.len()),
            ArrayValue::Int(_) => f.write_str("Int"),
            ArrayValue::Float(_) => f.write_str("Float"),
        }
    }
}

/// A module's value: what its framing shows. What the fields mean is the module's own affair.
///
/// ```
/// use redkeep::rdb::{ModuleContent, ModuleValue};
/// let value = ModuleContent::new(0xbde7_2da2_bb1e_b400, [ModuleValue::Unsigned(3)]);
/// assert_eq!(value.id.name(), "vectorset");
/// ```
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct ModuleContent {
    /// Which module's, and in which version of its encoding.
    pub id: ModuleId,
    /// All fields, without the end.
    pub fields: Vec<ModuleValue>,
}

impl ModuleContent {
    /// A value with the identity as stored.
    #[must_use]
    pub fn new(id: u64, fields: impl IntoIterator<Item = ModuleValue>) -> ModuleContent {
        ModuleContent { id: ModuleId::new(id), fields: fields.into_iter().collect() }
    }
}

/// Shows no content: values are never logged.
impl fmt::Debug for ModuleContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Module({}, {} fields)", self.id.name(), self.fields.len())
    }
}

/// A field of a module's value. Floats are equal bit for bit.
///
/// ```
/// use redkeep::rdb::ModuleValue;
/// assert_eq!(ModuleValue::Double(f64::NAN), ModuleValue::Double(f64::NAN));
/// assert_ne!(ModuleValue::Signed(1), ModuleValue::Unsigned(1));
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub enum ModuleValue {
    /// A signed number.
    Signed(i64),
    /// An unsigned number.
    Unsigned(u64),
    /// A 32-bit float.
    Float(f32),
    /// A 64-bit float.
    Double(f64),
    /// A string.
    Text(Bytes),
}

impl PartialEq for ModuleValue {
    fn eq(&self, other: &ModuleValue) -> bool {
        match (self, other) {
            (ModuleValue::Signed(a), ModuleValue::Signed(b)) => a == b,
            (ModuleValue::Unsigned(a), ModuleValue::Unsigned(b)) => a == b,
            (ModuleValue::Float(a), ModuleValue::Float(b)) => a.to_bits() == b.to_bits(),
            (ModuleValue::Double(a), ModuleValue::Double(b)) => a.to_bits() == b.to_bits(),
            (ModuleValue::Text(a), ModuleValue::Text(b)) => a == b,
            _ => false,
        }
    }
}

/// Shows no content: values are never logged.
impl fmt::Debug for ModuleValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ModuleValue::Signed(_) => f.write_str("Signed"),
            ModuleValue::Unsigned(_) => f.write_str("Unsigned"),
            ModuleValue::Float(_) => f.write_str("Float"),
            ModuleValue::Double(_) => f.write_str("Double"),
            ModuleValue::Text(text) => write!(f, "Text({} bytes)", text.len()),
        }
    }
}

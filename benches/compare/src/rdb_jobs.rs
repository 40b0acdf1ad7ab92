//! The crate `rdb` 0.4, in the ways its documentation shows. It verifies no checksum, and walks
//! over streams without delivering them.

use std::cell::Cell;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::rc::Rc;

use rdb::formatter::{JSON, Nil};
use rdb::{Filter, RdbDecoder, RdbValue, Simple};

use crate::contenders::{Delivered, Outcome};

/// Its own program uses the default buffer of 8 KiB; a larger one is kinder to it.
fn open(file: &Path) -> std::io::Result<BufReader<File>> {
    Ok(BufReader::with_capacity(1 << 20, File::open(file)?))
}

/// Sees every key and takes none, so that values are skipped.
struct CountKeys(Rc<Cell<u64>>);

impl Filter for CountKeys {
    fn matches_key(&self, _key: &[u8]) -> bool {
        self.0.set(self.0.get() + 1);
        false
    }
}

pub fn skip(file: &Path) -> Outcome {
    let keys = Rc::new(Cell::new(0));
    for item in RdbDecoder::new(open(file)?, CountKeys(Rc::clone(&keys)))? {
        item?;
    }
    Ok(Delivered { keys: keys.get(), ..Delivered::default() })
}

pub fn decode(file: &Path) -> Outcome {
    let mut seen = Delivered::default();
    for item in RdbDecoder::new(open(file)?, Simple::new())? {
        see(&mut seen, &item?);
    }
    Ok(seen)
}

fn see(seen: &mut Delivered, value: &RdbValue) {
    match value {
        RdbValue::String { value, .. } => see_elements(seen, [value]),
        RdbValue::List { values, .. } => see_elements(seen, values),
        RdbValue::Set { members, .. } => see_elements(seen, members),
        RdbValue::SortedSet { values, .. } => see_elements(seen, values.iter().map(|(_, m)| m)),
        RdbValue::Hash { values, .. } => {
            see_elements(seen, values.iter().flat_map(|(field, value)| [field, value]));
        }
        _ => return,
    }
    seen.keys += 1;
}

fn see_elements<'a>(seen: &mut Delivered, elements: impl IntoIterator<Item = &'a Vec<u8>>) {
    for element in elements {
        seen.elements += 1;
        seen.bytes += element.len() as u64;
    }
}

/// Decodes everything and hands it to its formatter that does nothing.
pub fn format_nothing(file: &Path) -> Outcome {
    rdb::parse(open(file)?, Nil::new(None), Simple::new())?;
    Ok(Delivered::default())
}

/// Writes to standard output, which the caller has pointed at the null device: given a path, the
/// formatter makes a system call for every comma.
pub fn json(file: &Path) -> Outcome {
    rdb::parse(open(file)?, JSON::new(None), Simple::new())?;
    Ok(Delivered::default())
}

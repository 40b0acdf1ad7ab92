//! Items too big for the window, which come in pieces.

use super::raw::Raw;
use super::value::Shown;
use crate::error::Result;
use crate::rdb::encoding::Scalar;
use crate::rdb::{DataType, Piece, StrHead, Visit};

/// The buffer that is kept from one item to the next.
const KEPT: usize = 4 << 20;

/// What has come of an item.
pub(super) struct Giant {
    held: Vec<u8>,
    form: Form,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// An item of any kind: all its bytes are held, to be read when they are complete.
    Any,
    /// A plain string that is text so far: up to here, where a character may be incomplete.
    Text(usize),
    /// A plain string that is no text, and so is written as it comes.
    Binary,
}

impl Giant {
    pub(super) fn new() -> Giant {
        Giant { held: Vec::new(), form: Form::Any }
    }

    pub(super) fn begin(&mut self) {
        self.held.clear();
        self.form = Form::Any;
    }

    /// Takes a piece; gives the bytes of an item that is complete and still to be written.
    pub(super) fn piece(
        &mut self,
        piece: &Piece<'_>,
        raw: &mut Raw,
        shown: &mut Shown<'_>,
    ) -> Result<Option<Vec<u8>>> {
        if piece.is_plain_item() && matches!(piece.head, Some(StrHead::Plain(_))) {
            self.form = Form::Text(0);
            return Ok(None);
        }
        if self.form == Form::Binary {
            raw.put(piece.raw(), shown.lines, shown.sink)?;
            if piece.ends {
                self.form = Form::Any;
                raw.end(shown.lines);
            }
            return Ok(None);
        }
        self.held.extend_from_slice(piece.raw());
        let Form::Text(checked) = self.form else {
            return Ok(piece.ends.then(|| std::mem::take(&mut self.held)));
        };
        match text_up_to(&self.held, checked) {
            Some(checked) if !piece.ends => self.form = Form::Text(checked),
            // All of it is here: whatever it is, it is written like any other.
            _ if piece.ends => {
                self.form = Form::Any;
                let held = std::mem::take(&mut self.held);
                let text = Scalar::Bytes(&held);
                match shown.shape.data() {
                    DataType::String => shown.text(text)?,
                    _ => shown.member(text)?,
                }
                self.give_back(held);
            }
            _ => {
                self.form = Form::Binary;
                if shown.shape.data() != DataType::String {
                    shown.separate();
                }
                shown.lines.text.put(b"{\"b64\":\"");
                raw.begin();
                raw.put(&self.held, shown.lines, shown.sink)?;
                let held = std::mem::take(&mut self.held);
                self.give_back(held);
            }
        }
        Ok(None)
    }

    /// Takes the room of written bytes for the next ones, unless it is a giant's.
    pub(super) fn give_back(&mut self, mut held: Vec<u8>) {
        if held.capacity() <= KEPT {
            held.clear();
            self.held = held;
        }
    }
}

/// Up to where bytes are text, given that they are up to `checked`; `None` where they are not.
fn text_up_to(bytes: &[u8], checked: usize) -> Option<usize> {
    match std::str::from_utf8(bytes.get(checked..)?) {
        Ok(rest) => Some(checked + rest.len()),
        Err(error) if error.error_len().is_none() => Some(checked + error.valid_up_to()),
        Err(_) => None,
    }
}

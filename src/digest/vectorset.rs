//! What a vector set's own callback feeds into a server's digest.
//!
//! ```text
//! value:    dim, elements, config, flags, [input dim, matrix],
//!           { name, [attribute], vector, n, n parameters } * elements
//! digest:   (elements, dim), then for each element (vector, name, attribute if not empty)
//! ```
//!
//! Each bracket is a sequence of its own, and sequences are summed by XOR, so the elements' order
//! does not count. The links between elements are parameters, and do not count either.

use crate::digest::sha::{State, sha1};
use crate::rdb::ModuleField;
use crate::wire::number::Digits;

pub(super) struct VectorSet {
    step: Step,
    dim: State,
    /// Elements to come.
    left: u64,
    /// Flag 1, a projection, and flag 2, attributes.
    flags: u64,
    name: State,
    attribute: Option<State>,
    /// Parameters to come.
    parameters: u64,
    sum: State,
}

enum Step {
    Dim,
    Elements,
    Config,
    Flags,
    InputDim,
    Matrix,
    Name,
    Attribute,
    Vector,
    Parameters,
    Parameter,
    Done,
}

impl VectorSet {
    pub(super) fn new() -> VectorSet {
        VectorSet {
            step: Step::Dim,
            dim: State::ZERO,
            left: 0,
            flags: 0,
            name: State::ZERO,
            attribute: None,
            parameters: 0,
            sum: State::ZERO,
        }
    }

    /// Takes the next field; false where it is not what this layout has there.
    #[must_use]
    pub(super) fn field(&mut self, field: ModuleField<'_>) -> bool {
        use ModuleField::{End, Text, Unsigned};
        let mut digits = Digits::new();
        let mut decimal = |n: u64| sha1(digits.format(n.cast_signed()));
        self.step = match (&self.step, field) {
            (Step::Dim, Unsigned(n)) => {
                self.dim = decimal(n);
                Step::Elements
            }
            (Step::Elements, Unsigned(n)) => {
                self.left = n;
                self.end_sequence(State::ZERO.mix(decimal(n)).mix(self.dim));
                Step::Config
            }
            (Step::Config, Unsigned(_)) => Step::Flags,
            (Step::Flags, Unsigned(flags)) => {
                self.flags = flags;
                if flags & 1 != 0 { Step::InputDim } else { self.next_element() }
            }
            (Step::InputDim, Unsigned(_)) => Step::Matrix,
            (Step::Matrix, Text(_)) => self.next_element(),
            (Step::Name, Text(name)) => {
                self.name = sha1(name.bytes(&mut digits));
                self.attribute = None;
                if self.flags & 2 != 0 { Step::Attribute } else { Step::Vector }
            }
            (Step::Attribute, Text(text)) => {
                let text = text.bytes(&mut digits);
                self.attribute = (!text.is_empty()).then(|| sha1(text));
                Step::Vector
            }
            (Step::Vector, Text(vector)) => {
                let element = State::ZERO.mix(sha1(vector.bytes(&mut digits))).mix(self.name);
                self.end_sequence(match self.attribute {
                    Some(attribute) => element.mix(attribute),
                    None => element,
                });
                self.left -= 1;
                Step::Parameters
            }
            (Step::Parameters, Unsigned(0)) => self.next_element(),
            (Step::Parameters, Unsigned(n)) => {
                self.parameters = n;
                Step::Parameter
            }
            (Step::Parameter, Unsigned(_)) => {
                self.parameters -= 1;
                if self.parameters > 0 { Step::Parameter } else { self.next_element() }
            }
            (Step::Done, End) => Step::Done,
            _ => return false,
        };
        true
    }

    fn next_element(&self) -> Step {
        if self.left > 0 { Step::Name } else { Step::Done }
    }

    fn end_sequence(&mut self, sequence: State) {
        self.sum = self.sum.xor(sequence.sha1());
    }

    pub(super) fn sum(&self) -> State {
        self.sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rdb::encoding::Scalar::Bytes;

    #[test]
    fn a_vector_set_gives_the_sum_that_its_server_gives() {
        use ModuleField::{End, Text, Unsigned};
        let mut set = VectorSet::new();
        let attribute = "{\"year\":1999,\"name\":\"\u{e9}\"}".as_bytes();
        let head = [2, 3, 0x10_0001, 2].map(Unsigned);
        let element = |name, attribute, vector| {
            [Text(Bytes(name)), Text(Bytes(attribute)), Text(Bytes(vector)), Unsigned(0)]
        };
        let elements = [
            element(b"bin\0\xff", b"", b"\x7f\x81"),
            element(b"zero", b"", b"\0\0"),
            element(b"east", attribute, b"\x7f\0"),
        ];
        for field in head.into_iter().chain(elements.into_iter().flatten()).chain([End]) {
            assert!(set.field(field));
        }
        let sum = set.sum();
        assert_eq!(sum.digest().to_string(), "750c7256304969d0cc4e6f18abb613fb15e7382d");
        let value = State::ZERO.mix(sha1(&5u32.to_be_bytes())).xor(sum.sha1());
        assert_eq!(value.digest().to_string(), "bd0b9e54deca7bc8d04f41e54aa7d1e1f3dd88f4");
        assert!(!VectorSet::new().field(End));
    }
}

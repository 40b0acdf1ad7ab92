//! Lists, sets, sorted sets and hashes.

use crate::error::Result;
use crate::rdb::build::build_intset;
use crate::rdb::content::HashField;
use crate::rdb::encode::encoder::Encoder;
use crate::rdb::encoding::Scalar;
use crate::rdb::len::write_length;
use crate::rdb::loss::{Loss, Losses};
use crate::rdb::value_type::ValueType;
use crate::time::UnixMillis;
use crate::wire::number::{parse_integer, write_double, write_double_17};
use bytes::Bytes;
use std::cmp::Ordering;

/// Whole numbers up to here are integers in the listpacks of sorted sets.
const WHOLE: f64 = 4_611_686_018_427_387_904.0;

/// Servers do not let a listpack grow past 1 GiB; this leaves room for all else in it.
const BIGGEST_PACKED: usize = (1 << 30) - 64;

impl Encoder {
    pub(super) fn list(&mut self, elements: &[Bytes]) -> Result<ValueType> {
        let texts = elements.iter().map(|element| &element[..]);
        if self.target.reads(ValueType::ListQuicklist) {
            return self.quicklist(elements);
        }
        if self.list.holds(elements.len(), texts.clone()) {
            self.pack(texts.map(Scalar::Bytes))?;
            return Ok(ValueType::ListZiplist);
        }
        self.strings(elements);
        Ok(ValueType::List)
    }

    /// Nodes, filled as servers fill them when elements are pushed to the end one by one.
    fn quicklist(&mut self, elements: &[Bytes]) -> Result<ValueType> {
        let plain_nodes = self.target.reads(ValueType::ListQuicklist2);
        // Since Redis 7.2 a list begins as a listpack, which is measured without the margin for an
        // entry's head. Redis 7.0 has plain nodes only for what no listpack can hold.
        let (margin, most) = match self.target.reads(ValueType::SetListpack) {
            true => (8, self.list_node),
            false => (0, BIGGEST_PACKED),
        };
        let mut nodes = 0;
        self.rows.clear();
        self.packer.clear();
        for element in elements {
            let plain = plain_nodes && element.len() > most;
            let room = self.list_node.saturating_add(if nodes == 0 { margin } else { 0 });
            let full = self.packer.size_with(element.len()) > room;
            if !self.packer.is_empty() && (plain || full) {
                nodes += self.end_node(plain_nodes);
            }
            if plain {
                nodes += 1;
                self.rows.push(1);
                self.text.write_bytes(element, &mut self.rows);
            } else {
                self.packer.push(Scalar::Bytes(element))?;
            }
        }
        if !self.packer.is_empty() {
            nodes += self.end_node(plain_nodes);
        }
        write_length(nodes, &mut self.out);
        self.out.append(&mut self.rows);
        Ok(if plain_nodes { ValueType::ListQuicklist2 } else { ValueType::ListQuicklist })
    }

    /// Ends a packed node; one more it is.
    fn end_node(&mut self, with_container: bool) -> u64 {
        if with_container {
            self.rows.push(2);
        }
        self.text.write_blob(self.packer.finish(), &mut self.rows);
        self.packer.clear();
        1
    }

    pub(super) fn set(&mut self, members: &[Bytes]) -> Result<ValueType> {
        let texts = members.iter().map(|member| &member[..]);
        if members.len() <= self.intset
            && let Some(mut integers) =
                texts.clone().map(parse_integer).collect::<Option<Vec<i64>>>()
        {
            integers.sort_unstable();
            self.rows.clear();
            build_intset(&integers, &mut self.rows);
            self.text.write_blob(&self.rows, &mut self.out);
            return Ok(ValueType::SetIntset);
        }
        if self.set.holds(members.len(), texts.clone()) {
            self.pack(texts.map(Scalar::Bytes))?;
            return Ok(ValueType::SetListpack);
        }
        self.strings(members);
        Ok(ValueType::Set)
    }

    pub(super) fn sorted_set(&mut self, members: &[(Bytes, f64)]) -> Result<ValueType> {
        let mut ascending: Vec<&(Bytes, f64)> = members.iter().collect();
        ascending
            .sort_by(|(a, x), (b, y)| x.partial_cmp(y).unwrap_or(Ordering::Equal).then(a.cmp(b)));
        let names = members.iter().map(|(member, _)| &member[..]);
        if self.sorted_set.holds(members.len(), names) {
            self.packer.clear();
            let mut digits = Vec::new();
            for (member, score) in ascending {
                self.packer.push(Scalar::Bytes(member))?;
                digits.clear();
                self.packed_score(*score, &mut digits);
                self.packer.push(Scalar::Bytes(&digits))?;
            }
            self.text.write_blob(self.packer.finish(), &mut self.out);
            return Ok(match self.target.reads(ValueType::ZSetListpack) {
                true => ValueType::ZSetListpack,
                false => ValueType::ZSetZiplist,
            });
        }
        let binary = self.target.reads(ValueType::ZSet2);
        write_length(members.len() as u64, &mut self.out);
        // Servers since 4.0 write the highest score first, which is quick to load.
        for (member, score) in ascending.into_iter().rev() {
            self.text.write_bytes(member, &mut self.out);
            match binary {
                true => self.out.extend_from_slice(&score.to_le_bytes()),
                false => write_text_score(*score, &mut self.out),
            }
        }
        Ok(if binary { ValueType::ZSet2 } else { ValueType::ZSet })
    }

    /// The text of a score in a packed list.
    fn packed_score(&self, score: f64, digits: &mut Vec<u8>) {
        let whole = score.abs() <= WHOLE && score.trunc() == score;
        if whole && self.target.reads(ValueType::ZSetListpack) {
            // Minus zero becomes the integer 0 there.
            write_double(if score == 0.0 { 0.0 } else { score }, digits);
        } else if self.target.reads(ValueType::SetListpack) {
            write_double(score, digits);
        } else {
            write_double_17(score, digits);
        }
    }

    pub(super) fn hash(&mut self, fields: &[HashField], losses: &mut Losses) -> Result<ValueType> {
        let expiring = fields.iter().filter_map(|field| field.expires).count() as u64;
        let valkey = self.target.reads(ValueType::ValkeyHash2);
        let redis = self.target.reads(ValueType::HashMetadata);
        match expiring {
            0 => {}
            _ if valkey => return Ok(self.valkey_hash(fields)),
            _ if redis => return self.expiring_hash(fields),
            _ => losses.add(Loss::FieldExpiry, expiring, 1),
        }
        if self.packs_hash(fields) {
            self.pack(fields.iter().flat_map(|f| [&f.field, &f.value]).map(|t| Scalar::Bytes(t)))?;
            return Ok(match self.target.reads(ValueType::HashListpack) {
                true => ValueType::HashListpack,
                false => ValueType::HashZiplist,
            });
        }
        write_length(fields.len() as u64, &mut self.out);
        for HashField { field, value, .. } in fields {
            self.text.write_bytes(field, &mut self.out);
            self.text.write_bytes(value, &mut self.out);
        }
        Ok(ValueType::Hash)
    }

    fn packs_hash(&self, fields: &[HashField]) -> bool {
        let texts = fields.iter().flat_map(|field| [&field.field[..], &field.value[..]]);
        self.hash.holds(fields.len(), texts)
    }

    /// Types 24 and 25 of Redis 7.4 and later.
    fn expiring_hash(&mut self, fields: &[HashField]) -> Result<ValueType> {
        let ms = |field: &HashField| field.expires.map_or(0, UnixMillis::get);
        let first = fields.iter().filter_map(|field| field.expires).min();
        let first = first.map_or(0, UnixMillis::get);
        self.out.extend_from_slice(&first.to_le_bytes());
        if self.packs_hash(fields) {
            let mut ordered: Vec<&HashField> = fields.iter().collect();
            ordered.sort_by_key(|field| field.expires.map_or(i64::MAX, UnixMillis::get));
            self.pack(ordered.into_iter().flat_map(|field| {
                let HashField { field: name, value, .. } = field;
                [Scalar::Bytes(name), Scalar::Bytes(value), Scalar::Int(ms(field))]
            }))?;
            return Ok(ValueType::HashListpackEx);
        }
        write_length(fields.len() as u64, &mut self.out);
        for field in fields {
            // Counted from one before the first, so that 0 is free to say "never".
            let from_first = (ms(field) - first + 1).cast_unsigned();
            let ttl = if field.expires.is_some() { from_first } else { 0 };
            write_length(ttl, &mut self.out);
            self.text.write_bytes(&field.field, &mut self.out);
            self.text.write_bytes(&field.value, &mut self.out);
        }
        Ok(ValueType::HashMetadata)
    }

    fn valkey_hash(&mut self, fields: &[HashField]) -> ValueType {
        write_length(fields.len() as u64, &mut self.out);
        for HashField { field, value, expires } in fields {
            self.text.write_bytes(field, &mut self.out);
            self.text.write_bytes(value, &mut self.out);
            let expires = expires.map_or(-1, UnixMillis::get);
            self.out.extend_from_slice(&expires.to_le_bytes());
        }
        ValueType::ValkeyHash2
    }

    /// One packed blob of these entries.
    fn pack<'a>(&mut self, entries: impl Iterator<Item = Scalar<'a>>) -> Result<()> {
        self.packer.clear();
        for entry in entries {
            self.packer.push(entry)?;
        }
        self.text.write_blob(self.packer.finish(), &mut self.out);
        Ok(())
    }

    /// Strings behind their count.
    fn strings(&mut self, rows: &[Bytes]) {
        write_length(rows.len() as u64, &mut self.out);
        for row in rows {
            self.text.write_bytes(row, &mut self.out);
        }
    }
}

/// A score as text behind its length; infinities have lengths of their own.
fn write_text_score(score: f64, out: &mut Vec<u8>) {
    match score {
        f64::INFINITY => return out.push(254),
        f64::NEG_INFINITY => return out.push(255),
        _ => {}
    }
    let at = out.len();
    out.push(0);
    write_double_17(score, out);
    let length = u8::try_from(out.len() - at - 1).unwrap_or_default();
    out.get_mut(at).into_iter().for_each(|place| *place = length);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rdb::Content;
    use crate::{ErrorKind, UnixMillis};

    fn encoded(server: &str, content: &Content) -> (u8, Vec<u8>) {
        let mut encoder = Encoder::new(server.parse().unwrap());
        let encoded = encoder.encode(content).unwrap();
        (encoded.value_type().byte(), encoded.value().bytes().to_vec())
    }

    fn kind(server: &str, content: &Content) -> ValueType {
        Encoder::new(server.parse().unwrap()).encode(content).unwrap().value_type()
    }

    #[test]
    fn the_bytes_are_those_that_servers_dumped() {
        let list = Content::list(["a", "1", "-1", "300", "bb"]);
        let bytes =
            b"\x01\x02\x16\x16\0\0\0\x05\0\x81a\x02\x01\x01\xdf\xff\x02\xc1\x2c\x02\x82bb\x03\xff";
        assert_eq!(encoded("redis-7.0", &list), (18, bytes.to_vec()));
        let hash = Content::hash([("f", "v")]);
        let bytes = b"\x11\x11\0\0\0\x0d\0\0\0\x02\0\0\x01f\x03\x01v\xff";
        assert_eq!(encoded("redis-6.2", &hash), (13, bytes.to_vec()));
        let set = Content::set(["70000", "1"]);
        let bytes = b"\x10\x04\0\0\0\x02\0\0\0\x01\0\0\0\x70\x11\x01\0";
        assert_eq!(encoded("redis-7.0", &set), (11, bytes.to_vec()));
        let set = Content::set(["a", "1"]);
        let bytes = b"\x0c\x0c\0\0\0\x02\0\x81a\x02\x01\x01\xff";
        assert_eq!(encoded("redis-7.2", &set), (20, bytes.to_vec()));
        let zset = Content::sorted_set([("a", 1.0), ("b", 2.5), ("c", f64::NEG_INFINITY)]);
        let bytes =
            b"\x1d\x1d\0\0\0\x06\0\x81c\x02\x84-inf\x05\x81a\x02\x01\x01\x81b\x02\x832.5\x04\xff";
        assert_eq!(encoded("redis-7.0", &zset), (17, bytes.to_vec()));
        let zset = Content::sorted_set([("b", f64::INFINITY), ("cc", 3.0), ("a", 1.5)]);
        let plain = |server: &str| {
            let mut encoder = Encoder::new(server.parse().unwrap()).sorted_set_packed(0, 0);
            encoder.encode(&zset).unwrap().value().bytes().to_vec()
        };
        assert_eq!(plain("redis-3.2"), b"\x03\x01b\xfe\x02cc\x013\x01a\x031.5");
        let bytes =
            b"\x03\x01b\0\0\0\0\0\0\xf0\x7f\x02cc\0\0\0\0\0\0\x08\x40\x01a\0\0\0\0\0\0\xf8\x3f";
        assert_eq!(plain("redis-4.0"), bytes);
    }

    #[test]
    fn fields_that_expire_are_laid_out_as_servers_do() {
        let at = 2_000_000_000_000;
        let fields = |rows: &[(&'static str, &'static str, i64)]| {
            let field = |(f, v, after): &(&'static str, &'static str, i64)| match *after {
                -1 => HashField::new(*f, *v),
                after => HashField::new(*f, *v).expires(UnixMillis::new(at + after)),
            };
            Content::Hash(rows.iter().map(field).collect())
        };
        let two = fields(&[("f", "v", -1), ("g", "w", 0)]);
        let bytes = b"\0\x20\x4a\xa9\xd1\x01\0\0\x1f\x1f\0\0\0\x06\0\x81g\x02\x81w\x02\xf4\0\x20\x4a\xa9\xd1\x01\0\0\x09\x81f\x02\x81v\x02\0\x01\xff";
        assert_eq!(encoded("redis-7.4", &two), (25, bytes.to_vec()));
        let bytes =
            b"\x02\x01f\x01v\xff\xff\xff\xff\xff\xff\xff\xff\x01g\x01w\0\x20\x4a\xa9\xd1\x01\0\0";
        assert_eq!(encoded("valkey-9.1", &two), (22, bytes.to_vec()));
        let three = fields(&[("g", "w", 0), ("x", "y", 500), ("f", "v", -1)]);
        let mut encoder = Encoder::new("redis-7.4".parse().unwrap()).hash_packed(2, 64);
        let bytes = b"\0\x20\x4a\xa9\xd1\x01\0\0\x03\x01\x01g\x01w\x41\xf5\x01x\x01y\0\x01f\x01v";
        let encoded = encoder.encode(&three).unwrap();
        assert_eq!(
            (encoded.value_type(), encoded.value().bytes()),
            (ValueType::HashMetadata, &bytes[..])
        );
        for server in ["redis-2.4", "redis-7.2", "valkey-8.1"] {
            let mut encoder = Encoder::new(server.parse().unwrap());
            let losses = encoder.encode(&three).unwrap().losses;
            assert_eq!(losses.get(Loss::FieldExpiry).count, 2, "{server}");
        }
    }

    #[test]
    fn each_threshold_is_that_of_its_server() {
        use ValueType as T;
        let texts = |n: usize| (0..n).map(|n| format!("m{n}")).collect::<Vec<_>>();
        let integers = |n: usize| (0..n).map(|n| n.to_string()).collect::<Vec<_>>();
        let long = |n: usize| vec!["x".repeat(n), "y".to_owned()];
        let hash = |n| Content::hash(texts(n).into_iter().map(|f| (f, "v")));
        let zset = |n| Content::sorted_set(texts(n).into_iter().map(|m| (m, 1.0)));
        for (server, content, want) in [
            ("redis-2.4", Content::list(["a"]), T::List),
            ("redis-2.4", hash(1), T::Hash),
            ("redis-2.4", zset(1), T::ZSet),
            ("redis-2.4", Content::set(integers(512)), T::SetIntset),
            ("redis-2.6", Content::list(texts(512)), T::ListZiplist),
            ("redis-2.6", Content::list(texts(513)), T::List),
            ("redis-3.0", Content::list(long(64)), T::ListZiplist),
            ("redis-3.0", Content::list(long(65)), T::List),
            ("redis-3.2", Content::list(long(65)), T::ListQuicklist),
            ("redis-6.2", hash(512), T::HashZiplist),
            ("redis-6.2", hash(513), T::Hash),
            ("redis-6.2", zset(128), T::ZSetZiplist),
            ("redis-6.2", zset(129), T::ZSet2),
            ("redis-3.2", zset(129), T::ZSet),
            ("redis-7.0", zset(128), T::ZSetListpack),
            ("redis-7.0", hash(512), T::HashListpack),
            ("redis-7.0", Content::set(texts(1)), T::Set),
            ("redis-7.2", Content::set(texts(128)), T::SetListpack),
            ("redis-7.2", Content::set(texts(129)), T::Set),
            ("valkey-7.2", Content::set(long(64)), T::SetListpack),
            ("valkey-9.0", Content::set(long(65)), T::Set),
            ("redis-7.2", Content::set(integers(512)), T::SetIntset),
            ("redis-7.2", Content::set(integers(513)), T::Set),
            ("redis-7.0", Content::list(["a"]), T::ListQuicklist2),
        ] {
            assert_eq!(kind(server, &content), want, "{server} {content:?}");
        }
    }

    #[test]
    fn list_nodes_stay_below_their_size_and_the_biggest_elements_stand_alone() {
        let texts: Vec<String> = (0..3000).map(|n| format!("element {n}")).collect();
        let element = |n: usize| vec!["a".to_owned(), "x".repeat(n), "b".to_owned()];
        for (server, elements, nodes, plain_nodes) in [
            ("redis-6.2", texts.clone(), 6, 0),
            ("redis-7.0", texts, 6, 0),
            ("redis-6.2", element(9000), 3, 0),
            ("redis-7.0", element(9000), 3, 0),
            ("redis-7.2", element(8193), 3, 1),
            ("redis-7.2", element(8192), 3, 0),
            ("redis-7.2", element(8000), 1, 0),
        ] {
            let mut encoder = Encoder::new(server.parse().unwrap()).compress(false);
            let content = Content::list(elements);
            let encoded = encoder.encode(&content).unwrap();
            let items: Vec<_> = encoded.value().items().unwrap().map(|i| i.unwrap().item).collect();
            assert_eq!(items.len(), nodes, "{server} {content:?}");
            let plain = items.iter().filter(|item| matches!(item, crate::rdb::Item::Node(1, _)));
            assert_eq!(plain.count(), plain_nodes, "{server} {content:?}");
        }
    }

    #[test]
    fn what_servers_refuse_is_never_written() {
        let mut encoder = Encoder::new("redis-7.2".parse().unwrap());
        let error = encoder.encode(&Content::set(["a", "a"])).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
        let array = crate::rdb::ArrayContent {
            elements: vec![(0, crate::rdb::ArrayValue::Int(1))],
            ..Default::default()
        };
        let error = encoder.encode(&Content::Array(array)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains("arrays for redis-7.2"), "{error}");
    }
}

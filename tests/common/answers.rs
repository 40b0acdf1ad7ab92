//! What a server answers for all it holds.

use crate::servers::Server;
use redis::{Value, cmd};

/// Its digest, its databases, and how many function libraries it has.
pub(crate) fn answers(server: &Server) -> (String, Vec<String>, usize) {
    let mut connection = server.connect().unwrap();
    let digest = cmd("DEBUG").arg("DIGEST").query(&mut connection).unwrap();
    let info: String = cmd("INFO").arg("keyspace").query(&mut connection).unwrap();
    let keys = info.lines().filter(|line| line.starts_with("db"));
    let keys = keys.map(|line| line.split(',').next().unwrap().to_owned()).collect();
    let functions = match cmd("FUNCTION").arg("LIST").query(&mut connection) {
        Ok(Value::Array(libraries)) => libraries.len(),
        _ => 0,
    };
    (digest, keys, functions)
}

//! The table of commands, from the servers' own descriptions of them: Redis up to 8.10, Valkey up to
//! 9.1.
//!
//! That of 8.10 (LMOVEM, BLMOVEM, HIMPORT) is from its published pages; no such server was at hand.

use crate::aof::commands::{CommandSpec, Logged, Since};
use crate::aof::keys::Pattern;
use Logged::{Either, Rewritten, Verbatim};

/// Commands whose first argument is a part of their name.
pub(crate) const CONTAINERS: [&str; 5] = ["CLUSTER", "FUNCTION", "HIMPORT", "SCRIPT", "XGROUP"];

const NONE: Pattern = Pattern::None;
const ONE: Pattern = range(1, 1, 1);
const TWO: Pattern = range(1, 2, 1);
const ALL: Pattern = range(1, -1, 1);
const ONE_AND_COUNTED: Pattern = Pattern::OneAndCounted;
const SORT: Pattern = Pattern::OneAndBehind(&["STORE"]);
const GEO: Pattern = Pattern::OneAndBehind(&["STORE", "STOREDIST"]);
const MIGRATE: Pattern = Pattern::Migrate;
const STREAMS: Pattern = Pattern::Streams;

const fn range(first: u8, last: i8, step: u8) -> Pattern {
    Pattern::Range { first, last, step }
}

const fn counted(number: u8, step: u8) -> Pattern {
    Pattern::Counted { number, step }
}

/// A command that writes.
const fn write(
    name: &'static str,
    arity: i8,
    pattern: Pattern,
    logged: Logged,
    redis: Since,
    valkey: Since,
) -> CommandSpec {
    CommandSpec { name, arity, pattern, write: true, logged, redis, valkey }
}

/// A command that servers do not count among those that write, and yet log.
const fn other(
    name: &'static str,
    arity: i8,
    pattern: Pattern,
    redis: Since,
    valkey: Since,
) -> CommandSpec {
    CommandSpec { name, arity, pattern, write: false, logged: Verbatim, redis, valkey }
}

/// Sorted by name. Columns: arity, keys, how it is logged, first release of Redis and of Valkey.
#[rustfmt::skip]
pub(crate) const COMMANDS: &[CommandSpec] = &[
    write("APPEND", 3, ONE, Verbatim, Some((2, 0)), Some((7, 2))),
    write("ARDEL", -3, ONE, Verbatim, Some((8, 8)), None),
    write("ARDELRANGE", -4, ONE, Verbatim, Some((8, 8)), None),
    write("ARINSERT", -3, ONE, Verbatim, Some((8, 8)), None),
    write("ARMSET", -4, ONE, Verbatim, Some((8, 8)), None),
    write("ARRING", -4, ONE, Verbatim, Some((8, 8)), None),
    write("ARSEEK", 3, ONE, Verbatim, Some((8, 8)), None),
    write("ARSET", -4, ONE, Verbatim, Some((8, 8)), None),
    write("BITFIELD", -2, ONE, Verbatim, Some((3, 2)), Some((7, 2))),
    write("BITOP", -4, range(2, -1, 1), Verbatim, Some((2, 6)), Some((7, 2))),
    write("BLMOVE", 6, TWO, Rewritten, Some((6, 2)), Some((7, 2))),
    write("BLMOVEM", -6, TWO, Rewritten, Some((8, 10)), None),
    write("BLMPOP", -5, counted(2, 1), Rewritten, Some((7, 0)), Some((7, 2))),
    write("BLPOP", -3, range(1, -2, 1), Rewritten, Some((2, 0)), Some((7, 2))),
    write("BRPOP", -3, range(1, -2, 1), Rewritten, Some((2, 0)), Some((7, 2))),
    write("BRPOPLPUSH", 4, TWO, Rewritten, Some((2, 2)), Some((7, 2))),
    write("BZMPOP", -5, counted(2, 1), Rewritten, Some((7, 0)), Some((7, 2))),
    write("BZPOPMAX", -3, range(1, -2, 1), Rewritten, Some((5, 0)), Some((7, 2))),
    write("BZPOPMIN", -3, range(1, -2, 1), Rewritten, Some((5, 0)), Some((7, 2))),
    write("CLUSTER FLUSHSLOT", -3, NONE, Verbatim, None, Some((9, 0))),
    other("CLUSTER SYNCSLOTS", -3, NONE, None, Some((9, 0))),
    write("COPY", -3, TWO, Verbatim, Some((6, 2)), Some((7, 2))),
    write("DECR", 2, ONE, Verbatim, Some((1, 0)), Some((7, 2))),
    write("DECRBY", 3, ONE, Verbatim, Some((1, 0)), Some((7, 2))),
    write("DEL", -2, ALL, Verbatim, Some((1, 0)), Some((7, 2))),
    write("DELEX", -2, ONE, Rewritten, Some((8, 4)), None),
    write("DELIFEQ", 3, ONE, Rewritten, None, Some((9, 0))),
    other("EVAL", -3, counted(2, 1), Some((2, 6)), Some((7, 2))),
    other("EVALSHA", -3, counted(2, 1), Some((2, 6)), Some((7, 2))),
    other("EXEC", 1, NONE, Some((1, 2)), Some((7, 2))),
    write("EXPIRE", -3, ONE, Rewritten, Some((1, 0)), Some((7, 2))),
    write("EXPIREAT", -3, ONE, Rewritten, Some((1, 2)), Some((7, 2))),
    write("FLUSHALL", -1, NONE, Verbatim, Some((1, 0)), Some((7, 2))),
    write("FLUSHDB", -1, NONE, Verbatim, Some((1, 0)), Some((7, 2))),
    write("FUNCTION DELETE", 3, NONE, Verbatim, Some((7, 0)), Some((7, 2))),
    write("FUNCTION FLUSH", -2, NONE, Verbatim, Some((7, 0)), Some((7, 2))),
    write("FUNCTION LOAD", -3, NONE, Verbatim, Some((7, 0)), Some((7, 2))),
    write("FUNCTION RESTORE", -3, NONE, Verbatim, Some((7, 0)), Some((7, 2))),
    write("GEOADD", -5, ONE, Rewritten, Some((3, 2)), Some((7, 2))),
    write("GEORADIUS", -6, GEO, Verbatim, Some((3, 2)), Some((7, 2))),
    write("GEORADIUSBYMEMBER", -5, GEO, Verbatim, Some((3, 2)), Some((7, 2))),
    write("GEOSEARCHSTORE", -8, TWO, Verbatim, Some((6, 2)), Some((7, 2))),
    write("GETDEL", 2, ONE, Rewritten, Some((6, 2)), Some((7, 2))),
    write("GETEX", -2, ONE, Rewritten, Some((6, 2)), Some((7, 2))),
    write("GETSET", 3, ONE, Either, Some((1, 0)), Some((7, 2))),
    write("HDEL", -3, ONE, Verbatim, Some((2, 0)), Some((7, 2))),
    write("HEXPIRE", -6, ONE, Rewritten, Some((7, 4)), Some((9, 0))),
    write("HEXPIREAT", -6, ONE, Rewritten, Some((7, 4)), Some((9, 0))),
    write("HGETDEL", -5, ONE, Either, Some((8, 0)), Some((9, 1))),
    write("HGETEX", -5, ONE, Rewritten, Some((8, 0)), Some((9, 0))),
    write("HIMPORT SET", -4, range(2, 2, 1), Rewritten, Some((8, 10)), None),
    write("HINCRBY", 4, ONE, Either, Some((2, 0)), Some((7, 2))),
    write("HINCRBYFLOAT", 4, ONE, Rewritten, Some((2, 6)), Some((7, 2))),
    write("HMSET", -4, ONE, Verbatim, Some((2, 0)), Some((7, 2))),
    write("HPERSIST", -5, ONE, Verbatim, Some((7, 4)), Some((9, 0))),
    write("HPEXPIRE", -6, ONE, Rewritten, Some((7, 4)), Some((9, 0))),
    write("HPEXPIREAT", -6, ONE, Verbatim, Some((7, 4)), Some((9, 0))),
    write("HSET", -4, ONE, Verbatim, Some((2, 0)), Some((7, 2))),
    write("HSETEX", -6, ONE, Verbatim, Some((8, 0)), Some((9, 0))),
    write("HSETNX", 4, ONE, Either, Some((2, 0)), Some((7, 2))),
    write("INCR", 2, ONE, Verbatim, Some((1, 0)), Some((7, 2))),
    write("INCRBY", 3, ONE, Verbatim, Some((1, 0)), Some((7, 2))),
    write("INCRBYFLOAT", 3, ONE, Rewritten, Some((2, 6)), Some((7, 2))),
    write("INCREX", -2, ONE, Rewritten, Some((8, 8)), None),
    write("LINSERT", 5, ONE, Verbatim, Some((2, 2)), Some((7, 2))),
    write("LMOVE", 5, TWO, Verbatim, Some((6, 2)), Some((7, 2))),
    write("LMOVEM", -5, TWO, Verbatim, Some((8, 10)), None),
    write("LMPOP", -4, counted(1, 1), Rewritten, Some((7, 0)), Some((7, 2))),
    write("LPOP", -2, ONE, Verbatim, Some((1, 0)), Some((7, 2))),
    write("LPUSH", -3, ONE, Verbatim, Some((1, 0)), Some((7, 2))),
    write("LPUSHX", -3, ONE, Verbatim, Some((2, 2)), Some((7, 2))),
    write("LREM", 4, ONE, Verbatim, Some((1, 0)), Some((7, 2))),
    write("LSET", 4, ONE, Verbatim, Some((1, 0)), Some((7, 2))),
    write("LTRIM", 4, ONE, Verbatim, Some((1, 0)), Some((7, 2))),
    write("MIGRATE", -6, MIGRATE, Rewritten, Some((2, 6)), Some((7, 2))),
    write("MOVE", 3, ONE, Verbatim, Some((1, 0)), Some((7, 2))),
    write("MSET", -3, range(1, -1, 2), Verbatim, Some((1, 0)), Some((7, 2))),
    write("MSETEX", -4, counted(1, 2), Verbatim, Some((8, 4)), Some((9, 1))),
    write("MSETNX", -3, range(1, -1, 2), Verbatim, Some((1, 0)), Some((7, 2))),
    other("MULTI", 1, NONE, Some((1, 2)), Some((7, 2))),
    write("PERSIST", 2, ONE, Verbatim, Some((2, 2)), Some((7, 2))),
    write("PEXPIRE", -3, ONE, Rewritten, Some((2, 6)), Some((7, 2))),
    write("PEXPIREAT", -3, ONE, Verbatim, Some((2, 6)), Some((7, 2))),
    write("PFADD", -2, ONE, Verbatim, Some((2, 8)), Some((7, 2))),
    other("PFCOUNT", -2, ALL, Some((2, 8)), Some((7, 2))),
    write("PFDEBUG", 3, range(2, 2, 1), Verbatim, Some((2, 8)), Some((7, 2))),
    write("PFMERGE", -2, ALL, Verbatim, Some((2, 8)), Some((7, 2))),
    write("PSETEX", 4, ONE, Rewritten, Some((2, 6)), Some((7, 2))),
    write("RENAME", 3, TWO, Verbatim, Some((1, 0)), Some((7, 2))),
    write("RENAMENX", 3, TWO, Verbatim, Some((1, 0)), Some((7, 2))),
    write("RESTORE", -4, ONE, Verbatim, Some((2, 6)), Some((7, 2))),
    write("RESTORE-ASKING", -4, ONE, Verbatim, Some((3, 0)), Some((7, 2))),
    write("RPOP", -2, ONE, Verbatim, Some((1, 0)), Some((7, 2))),
    write("RPOPLPUSH", 3, TWO, Verbatim, Some((1, 2)), Some((7, 2))),
    write("RPUSH", -3, ONE, Verbatim, Some((1, 0)), Some((7, 2))),
    write("RPUSHX", -3, ONE, Verbatim, Some((2, 2)), Some((7, 2))),
    write("SADD", -3, ONE, Verbatim, Some((1, 0)), Some((7, 2))),
    other("SCRIPT FLUSH", -2, NONE, Some((2, 6)), Some((7, 2))),
    other("SCRIPT LOAD", 3, NONE, Some((2, 6)), Some((7, 2))),
    write("SDIFFSTORE", -3, ALL, Verbatim, Some((1, 0)), Some((7, 2))),
    other("SELECT", 2, NONE, Some((1, 0)), Some((7, 2))),
    write("SET", -3, ONE, Verbatim, Some((1, 0)), Some((7, 2))),
    write("SETBIT", 4, ONE, Verbatim, Some((2, 2)), Some((7, 2))),
    write("SETEX", 4, ONE, Rewritten, Some((2, 0)), Some((7, 2))),
    write("SETNX", 3, ONE, Verbatim, Some((1, 0)), Some((7, 2))),
    write("SETRANGE", 4, ONE, Verbatim, Some((2, 2)), Some((7, 2))),
    write("SFLUSH", -3, NONE, Verbatim, Some((8, 4)), None),
    write("SINTERSTORE", -3, ALL, Verbatim, Some((1, 0)), Some((7, 2))),
    write("SMOVE", 4, TWO, Verbatim, Some((1, 0)), Some((7, 2))),
    write("SORT", -2, SORT, Verbatim, Some((1, 0)), Some((7, 2))),
    write("SPOP", -2, ONE, Rewritten, Some((1, 0)), Some((7, 2))),
    write("SREM", -3, ONE, Verbatim, Some((1, 0)), Some((7, 2))),
    write("SUNIONSTORE", -3, ALL, Verbatim, Some((1, 0)), Some((7, 2))),
    write("SWAPDB", 3, NONE, Verbatim, Some((4, 0)), Some((7, 2))),
    write("TRIMSLOTS", -5, NONE, Verbatim, Some((8, 4)), None),
    write("UNLINK", -2, ALL, Verbatim, Some((4, 0)), Some((7, 2))),
    write("VADD", -5, ONE, Verbatim, Some((8, 0)), None),
    write("VREM", 3, ONE, Verbatim, Some((8, 0)), None),
    write("VSETATTR", 4, ONE, Verbatim, Some((8, 0)), None),
    write("XACK", -4, ONE, Verbatim, Some((5, 0)), Some((7, 2))),
    write("XACKDEL", -6, ONE, Verbatim, Some((8, 2)), None),
    write("XADD", -5, ONE, Verbatim, Some((5, 0)), Some((7, 2))),
    write("XAUTOCLAIM", -6, ONE, Rewritten, Some((6, 2)), Some((7, 2))),
    write("XCFGSET", -2, ONE, Verbatim, Some((8, 6)), None),
    write("XCLAIM", -6, ONE, Verbatim, Some((5, 0)), Some((7, 2))),
    write("XDEL", -3, ONE, Verbatim, Some((5, 0)), Some((7, 2))),
    write("XDELEX", -5, ONE, Verbatim, Some((8, 2)), None),
    write("XGROUP CREATE", -5, range(2, 2, 1), Verbatim, Some((5, 0)), Some((7, 2))),
    write("XGROUP CREATECONSUMER", 5, range(2, 2, 1), Verbatim, Some((6, 2)), Some((7, 2))),
    write("XGROUP DELCONSUMER", 5, range(2, 2, 1), Verbatim, Some((5, 0)), Some((7, 2))),
    write("XGROUP DESTROY", 4, range(2, 2, 1), Verbatim, Some((5, 0)), Some((7, 2))),
    write("XGROUP SETID", -5, range(2, 2, 1), Verbatim, Some((5, 0)), Some((7, 2))),
    write("XIDMPRECORD", 5, ONE, Verbatim, Some((8, 6)), None),
    write("XNACK", -7, ONE, Verbatim, Some((8, 8)), None),
    write("XREADGROUP", -7, STREAMS, Rewritten, Some((5, 0)), Some((7, 2))),
    write("XSETID", -3, ONE, Verbatim, Some((5, 0)), Some((7, 2))),
    write("XTRIM", -4, ONE, Verbatim, Some((5, 0)), Some((7, 2))),
    write("ZADD", -4, ONE, Verbatim, Some((1, 2)), Some((7, 2))),
    write("ZDIFFSTORE", -4, ONE_AND_COUNTED, Verbatim, Some((6, 2)), Some((7, 2))),
    write("ZINCRBY", 4, ONE, Verbatim, Some((1, 2)), Some((7, 2))),
    write("ZINTERSTORE", -4, ONE_AND_COUNTED, Verbatim, Some((2, 0)), Some((7, 2))),
    write("ZMPOP", -4, counted(1, 1), Rewritten, Some((7, 0)), Some((7, 2))),
    write("ZPOPMAX", -2, ONE, Verbatim, Some((5, 0)), Some((7, 2))),
    write("ZPOPMIN", -2, ONE, Verbatim, Some((5, 0)), Some((7, 2))),
    write("ZRANGESTORE", -5, TWO, Verbatim, Some((6, 2)), Some((7, 2))),
    write("ZREM", -3, ONE, Verbatim, Some((1, 2)), Some((7, 2))),
    write("ZREMRANGEBYLEX", 4, ONE, Verbatim, Some((2, 8)), Some((7, 2))),
    write("ZREMRANGEBYRANK", 4, ONE, Verbatim, Some((2, 0)), Some((7, 2))),
    write("ZREMRANGEBYSCORE", 4, ONE, Verbatim, Some((1, 2)), Some((7, 2))),
    write("ZUNIONSTORE", -4, ONE_AND_COUNTED, Verbatim, Some((2, 0)), Some((7, 2))),
];

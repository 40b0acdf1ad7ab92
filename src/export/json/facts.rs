//! Lines that tell of the file and not of a key.

use super::text::Text;
use crate::error::Result;
use crate::rdb::encoding::module::ModuleId;
use crate::rdb::{Event, EventKind, Function, HashTemplate, ModuleAux, SlotImport, Str, StrBuf};
use crate::wire::cursor::Cursor;

/// Writes the line of an event that is neither a key nor a module's data, without its end.
pub(super) fn fact(event: &Event<'_>, text: &mut Text, buf: &mut StrBuf) -> Result<()> {
    match event.kind() {
        EventKind::Header(header) => {
            named(text, "header");
            text.put(b",\"magic\":");
            text.string(header.to_string().as_bytes());
        }
        EventKind::Aux(aux) => {
            named(text, "aux");
            string(text, b",\"name\":", aux.name, buf)?;
            string(text, b",\"value\":", aux.value, buf)?;
        }
        EventKind::Function(function) => self::function(&function, text, buf)?,
        EventKind::SlotInfo { slot, keys, expires } => {
            named(text, "slot_info");
            number(text, b",\"slot\":", slot);
            number(text, b",\"keys\":", keys);
            number(text, b",\"expires\":", expires);
        }
        EventKind::SlotImport(import) => slot_import(&import, text, buf)?,
        EventKind::HashTemplate(template) => hash_template(&template, text, buf)?,
        _ => {}
    }
    text.push(b'}');
    Ok(())
}

/// The line of a module's data up to where its base64 begins.
pub(super) fn module_aux(aux: &ModuleAux<'_>, text: &mut Text) {
    named(text, "module_aux");
    text.put(b",\"module\":");
    module(aux.module, text);
    number(text, b",\"when\":", aux.when);
    text.put(b",\"b64\":\"");
}

/// A module's name and version, from behind the colon on.
pub(super) fn module(module: ModuleId, text: &mut Text) {
    text.string(module.name().as_bytes());
    number(text, b",\"version\":", module.version());
}

fn function(function: &Function<'_>, text: &mut Text, buf: &mut StrBuf) -> Result<()> {
    named(text, "function");
    if let Some((name, engine)) = function.pre_ga {
        string(text, b",\"name\":", name, buf)?;
        string(text, b",\"engine\":", engine, buf)?;
        if let Some(description) = description(function) {
            string(text, b",\"description\":", description, buf)?;
        }
    }
    string(text, b",\"code\":", function.code, buf)
}

/// What stands between engine and code in the record of the release candidates.
fn description<'a>(function: &Function<'a>) -> Option<Str<'a>> {
    let mut c = Cursor::new(function.raw());
    c.byte().ok()?;
    c.string().ok()?;
    c.string().ok()?;
    if c.length().ok()? == 0 { None } else { c.string().ok() }
}

fn slot_import(import: &SlotImport<'_>, text: &mut Text, buf: &mut StrBuf) -> Result<()> {
    named(text, "slot_import");
    string(text, b",\"job\":", import.job, buf)?;
    text.put(b",\"ranges\":[");
    let mut before = &b"["[..];
    for (first, last) in import.ranges() {
        number(text, before, first);
        number(text, b",", last);
        text.push(b']');
        before = b",[";
    }
    text.push(b']');
    Ok(())
}

fn hash_template(template: &HashTemplate<'_>, text: &mut Text, buf: &mut StrBuf) -> Result<()> {
    named(text, "hash_template");
    number(text, b",\"id\":", template.id);
    let mut c = Cursor::new(template.raw);
    let mut before = &b",\"fields\":["[..];
    while let Ok(name) = c.string() {
        string(text, before, name, buf)?;
        before = b",";
    }
    text.push(b']');
    Ok(())
}

fn named(text: &mut Text, fact: &str) {
    text.put(b"{\"fact\":");
    text.string(fact.as_bytes());
}

fn number(text: &mut Text, before: &[u8], n: u64) {
    text.put(before);
    text.unsigned(n);
}

fn string(text: &mut Text, before: &[u8], what: Str<'_>, buf: &mut StrBuf) -> Result<()> {
    text.put(before);
    text.scalar(what.scalar(buf)?);
    Ok(())
}

//! What happens inside a write transaction: the changes of many calls, with results as if in the order of the calls.
use super::api::{Change, Job, Kind, Was};
use super::failure::{Class, Failure, primary_code};
use super::order;
use super::schema;
use super::statement::{Bind, Session, Verb};
use rusqlite::ffi;
use std::collections::HashMap;
use std::path::Path;

/// SQLite's limit for a row.
const LONGEST_ROW: usize = 1_000_000_000 - 64;

pub enum Trouble {
    /// One call failed by its own fault; the others may be tried without it.
    OfCall(usize, Failure),
    /// The transaction failed.
    OfAll(rusqlite::Error),
}

#[derive(Clone, Copy)]
struct Step<'a> {
    change: Change<'a>,
    call: usize,
    index: usize,
    old: bool,
}

/// Apply the changes of all calls; returns for each call what its changes met.
pub fn apply<J: Job>(session: &mut Session, path: &Path, calls: &[&J]) -> Result<Vec<Vec<Was>>, Trouble> {
    let steps = steps_of(calls);
    let mut was: Vec<Vec<Was>> =
        calls.iter().map(|call| vec![Was::default(); if tells(*call) { call.len() } else { 0 }]).collect();
    run(session, path, &steps, &ordered(&steps, is_hidden_put), |step, met| {
        if let Some(was) = was[step.call].get_mut(step.index) {
            *was = met;
        }
    })?;
    Ok(was)
}

/// Whether what the changes of a call meet may be more than `Was::default`.
fn tells<J: Job>(call: &J) -> bool {
    call.wants_old() || (0..call.len()).any(|index| !matches!(call.change(index).kind, Kind::Put | Kind::Clear))
}

/// Apply the changes of the lazy queue: nobody asks what they met, so only the last one of each key counts.
/// Returns the tables that are not there (another process dropped them): what was to go there is left out.
pub fn apply_blindly<J: Job>(session: &mut Session, path: &Path, calls: &[&J]) -> Result<Vec<String>, Trouble> {
    let mut steps = steps_of(calls);
    skip_cleared(&mut steps);
    let dropped = missing_tables(session, &steps).map_err(Trouble::OfAll)?;
    steps.retain(|step| !dropped.iter().any(|table| table == step.change.table));
    run(session, path, &steps, &ordered(&steps, |_, _| true), |_, _| {})?;
    Ok(dropped)
}

fn missing_tables(session: &Session, steps: &[Step<'_>]) -> rusqlite::Result<Vec<String>> {
    let (mut there, mut missing) = (Vec::new(), Vec::new());
    for table in steps.iter().map(|step| step.change.table) {
        if !there.contains(&table) && !missing.iter().any(|name| name == table) {
            if schema::is_there(session.connection(), table)? {
                there.push(table);
            } else {
                missing.push(table.to_owned());
            }
        }
    }
    Ok(missing)
}

fn steps_of<'a, J: Job>(calls: &[&'a J]) -> Vec<Step<'a>> {
    let mut steps = Vec::with_capacity(calls.len());
    for (call, job) in calls.iter().enumerate() {
        let old = job.wants_old();
        steps.extend((0..job.len()).map(|index| Step { change: job.change(index), call, index, old }));
    }
    steps
}

/// Forget what a later Clear of the same table wipes out.
fn skip_cleared(steps: &mut Vec<Step<'_>>) {
    let mut cleared: HashMap<&str, usize> = HashMap::new();
    for (place, step) in steps.iter().enumerate() {
        if step.change.kind == Kind::Clear {
            cleared.insert(step.change.table, place);
        }
    }
    if cleared.is_empty() {
        return;
    }
    let mut place = 0;
    steps.retain(|step| {
        let kept = cleared.get(step.change.table).is_none_or(|&last| place >= last);
        place += 1;
        kept
    });
}

/// A plain put that a later plain put of the same key overwrites before anybody can see it.
fn is_hidden_put(step: &Step<'_>, next: &Step<'_>) -> bool {
    step.change.kind == Kind::Put && next.change.kind == Kind::Put && !step.old && !next.old
}

/// The order in which steps run: by table and key, which keeps the order on each key; Clear, Create and Drop stay in place.
fn ordered(steps: &[Step<'_>], is_hidden: impl Fn(&Step<'_>, &Step<'_>) -> bool) -> Vec<u32> {
    let place = |step: &Step<'_>| step.change.kind.is_of_one_key();
    let mut order: Vec<u32> = (0..steps.len() as u32).collect();
    for run in order.chunk_by_mut(|&a, &b| place(&steps[a as usize]) && place(&steps[b as usize])) {
        sort(run, steps);
    }
    let mut kept = Vec::with_capacity(order.len());
    for (position, &index) in order.iter().enumerate() {
        let step = &steps[index as usize];
        let next = order.get(position + 1).map(|&next| &steps[next as usize]);
        let hidden = next.is_some_and(|next| {
            place(step) && place(next) && place_in_file(step) == place_in_file(next) && is_hidden(step, next)
        });
        if !hidden {
            kept.push(index);
        }
    }
    kept
}

/// By table and key.
fn sort(run: &mut [u32], steps: &[Step<'_>]) {
    let step = |index: u32| &steps[index as usize];
    let of_one_table = run.windows(2).all(|pair| step(pair[0]).change.table == step(pair[1]).change.table);
    if of_one_table {
        order::by_key(run, |index| step(index).change.key);
    } else {
        run.sort_by(|&a, &b| place_in_file(step(a)).cmp(&place_in_file(step(b))));
    }
}

fn place_in_file<'a>(step: &Step<'a>) -> (&'a str, &'a [u8]) {
    (step.change.table, step.change.key)
}

fn run<'a>(
    session: &mut Session,
    path: &Path,
    steps: &[Step<'a>],
    order: &[u32],
    mut met: impl FnMut(&Step<'a>, Was),
) -> Result<(), Trouble> {
    if let Some(step) = steps.iter().find(|step| step.change.key.len() + step.change.value.len() > LONGEST_ROW) {
        return Err(Trouble::OfCall(step.call, too_large(path)));
    }
    for &index in order {
        let step = &steps[index as usize];
        match apply_one(session, path, step) {
            Ok(was) => met(step, was),
            Err(schema::Error::Refused(failure)) => return Err(Trouble::OfCall(step.call, failure)),
            Err(schema::Error::Sqlite(error)) if is_of_call(&error) => {
                return Err(Trouble::OfCall(step.call, Failure::of_sqlite(&error, 0, path)));
            }
            Err(schema::Error::Sqlite(error)) => return Err(Trouble::OfAll(error)),
        }
    }
    Ok(())
}

fn apply_one(session: &mut Session, path: &Path, step: &Step<'_>) -> Result<Was, schema::Error> {
    let change = &step.change;
    match change.kind {
        Kind::Put => put(session, change, step.old),
        Kind::PutIfAbsent => put_if_absent(session, change, step.old),
        Kind::PutIfEqual => put_if_equal(session, change, step.old),
        Kind::Delete => delete(session, change, step.old),
        Kind::Clear => clear(session, change, step.old),
        Kind::Create => {
            let mode = schema::create(session.connection(), path, change.table, change.value)?;
            Ok(Was { there: mode.is_some(), old: mode.map(String::into_bytes).filter(|_| step.old) })
        }
        Kind::Drop => {
            let mode = schema::drop_table(session.connection(), change.table)?;
            Ok(Was { there: mode.is_some(), old: mode.map(String::into_bytes).filter(|_| step.old) })
        }
    }
}

fn look_up(session: &mut Session, change: &Change<'_>) -> rusqlite::Result<Option<Vec<u8>>> {
    session.statement(Verb::Select, change.table)?.first(&[Bind::Text(change.key)], |row| row.bytes(0).to_vec())
}

fn upsert(session: &mut Session, change: &Change<'_>) -> rusqlite::Result<()> {
    session.statement(Verb::Upsert, change.table)?.execute(&[Bind::Text(change.key), value_of(change)]).map(drop)
}

fn value_of<'a>(change: &Change<'a>) -> Bind<'a> {
    if change.text { Bind::Text(change.value) } else { Bind::Blob(change.value) }
}

fn put(session: &mut Session, change: &Change<'_>, old: bool) -> Result<Was, schema::Error> {
    let before = if old { look_up(session, change)? } else { None };
    upsert(session, change)?;
    Ok(Was { there: before.is_some(), old: before })
}

fn put_if_absent(session: &mut Session, change: &Change<'_>, old: bool) -> Result<Was, schema::Error> {
    let insert = session.statement(Verb::InsertIfAbsent, change.table)?;
    let there = insert.execute(&[Bind::Text(change.key), value_of(change)])? == 0;
    Ok(Was { there, old: if there && old { look_up(session, change)? } else { None } })
}

fn put_if_equal(session: &mut Session, change: &Change<'_>, old: bool) -> Result<Was, schema::Error> {
    let before = look_up(session, change)?;
    if before.as_deref() == Some(change.expected) {
        upsert(session, change)?;
    }
    Ok(Was { there: before.is_some(), old: before.filter(|_| old) })
}

fn delete(session: &mut Session, change: &Change<'_>, old: bool) -> Result<Was, schema::Error> {
    let before = if old { look_up(session, change)? } else { None };
    let there = session.statement(Verb::Delete, change.table)?.execute(&[Bind::Text(change.key)])? > 0;
    Ok(Was { there, old: before })
}

fn clear(session: &mut Session, change: &Change<'_>, old: bool) -> Result<Was, schema::Error> {
    let there = old && session.statement(Verb::Any, change.table)?.first(&[], |_| ())?.is_some();
    session.statement(Verb::Clear, change.table)?.execute(&[])?;
    Ok(Was { there, old: None })
}

/// Whether an error comes from what the call asked for, not from the file or the system.
fn is_of_call(error: &rusqlite::Error) -> bool {
    let code = primary_code(error);
    [ffi::SQLITE_ERROR, ffi::SQLITE_TOOBIG, ffi::SQLITE_CONSTRAINT, ffi::SQLITE_MISMATCH, ffi::SQLITE_SCHEMA]
        .contains(&code)
}

fn too_large(path: &Path) -> Failure {
    let message =
        format!("{}: key and value have more than SQLite's 1,000,000,000 bytes; nothing was applied", path.display());
    Failure::new(Class::ValueTooLarge, message)
}

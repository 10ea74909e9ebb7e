//! The proof: everything the relay holds, against everything it ever acknowledged to us.

use std::{collections::BTreeMap, time::Duration};

use anyhow::Context;
use data_encoding::{BASE64, HEXLOWER};
use hyper::{Method, StatusCode};
use serde::Serialize;

use super::{
    VerifyArgs,
    ledger::{self, Entry},
};
use crate::{
    client::Client,
    wire::{Event, Page, digest},
};

/// What a comparison found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Proof {
    /// Events the relay holds.
    pub events: usize,
    /// Its newest place.
    pub last_seq: i64,
    /// Acknowledgements that were compared.
    pub compared: usize,
    /// Acknowledgements beyond the point in question, left alone.
    pub beyond: usize,
    /// Events that no acknowledgement of ours names: other writers, or answers that never arrived.
    pub unknown: usize,
    /// What is wrong; empty: nothing.
    pub problems: Vec<String>,
}

/// Up to where acknowledgements count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// All of them.
    End,
    /// Those that stand up to this place.
    Seq(i64),
    /// Those that came up to this time.
    Time(jiff::Timestamp),
}

/// Reads the relay from its first event to its last and compares it with the ledger.
pub async fn verify(args: &VerifyArgs) -> anyhow::Result<Proof> {
    let entries = ledger::read(&args.ledger)
        .with_context(|| format!("cannot read the ledger `{}`", args.ledger.display()))?;
    let until = match (args.up_to_seq, args.up_to_time) {
        (Some(seq), _) => Until::Seq(seq),
        (None, Some(time)) => Until::Time(time),
        (None, None) => Until::End,
    };
    let events = read_all(&args.target.client(Duration::from_secs(30))?).await?;
    Ok(compare(&events, &entries, until))
}

async fn read_all(client: &Client) -> anyhow::Result<Vec<Event>> {
    let mut events: Vec<Event> = Vec::new();
    loop {
        let since = events.last().map_or(0, |event| event.seq);
        let path = format!("/events?since={since}");
        let (status, body) = client.send(Method::GET, &path, &[], Vec::new()).await?;
        anyhow::ensure!(status == StatusCode::OK, "the relay answered {status} to `{path}`");
        let page: Page = serde_json::from_slice(&body)
            .with_context(|| format!("the answer to `{path}` is not understood"))?;
        // An order that does not go up would never end; the comparison names it.
        let stuck = page.events.last().is_none_or(|event| event.seq <= since);
        events.extend(page.events);
        if stuck {
            return Ok(events);
        }
    }
}

/// Compares what is held with what was acknowledged.
fn compare(events: &[Event], entries: &[Entry], until: Until) -> Proof {
    let mut problems = sequence(events);
    let mut held: BTreeMap<&str, &Event> = BTreeMap::new();
    for event in events {
        if let Some(first) = held.insert(&event.nonce, event) {
            problems.push(format!("doubled: {} and {} are the same event", first.seq, event.seq));
        }
    }
    let counts = |entry: &&Entry| match until {
        Until::End => true,
        Until::Seq(seq) => entry.seq <= seq,
        Until::Time(time) => entry.at <= time,
    };
    let compared: Vec<&Entry> = entries.iter().filter(counts).collect();
    problems.extend(
        compared.iter().filter_map(|entry| difference(entry, held.get(entry.nonce.as_str()).copied())),
    );
    let known = entries.iter().filter(|entry| held.contains_key(entry.nonce.as_str())).count();
    Proof {
        events: events.len(),
        last_seq: events.last().map_or(0, |event| event.seq),
        compared: compared.len(),
        beyond: entries.len() - compared.len(),
        unknown: held.len().saturating_sub(known),
        problems,
    }
}

/// Gaps and steps back in the sequence, which begins at 1.
fn sequence(events: &[Event]) -> Vec<String> {
    let before = std::iter::once(0).chain(events.iter().map(|event| event.seq));
    let steps = before.zip(events.iter().map(|event| event.seq));
    steps
        .filter_map(|(before, seq)| match seq - before {
            1 => None,
            2 => Some(format!("gap: {} is missing", before + 1)),
            step if step > 2 => Some(format!("gap: {} to {} are missing", before + 1, seq - 1)),
            _ => Some(format!("order: {seq} comes after {before}")),
        })
        .collect()
}

fn difference(entry: &Entry, held: Option<&Event>) -> Option<String> {
    let Some(event) = held else {
        return Some(format!("lost: {} was acknowledged at {} and is not there", entry.seq, entry.at));
    };
    if event.seq != entry.seq {
        return Some(format!("moved: {} was acknowledged as {}", event.seq, entry.seq));
    }
    let ciphertext = BASE64.decode(event.ciphertext.as_bytes()).unwrap_or_default();
    let same = HEXLOWER.encode(&digest(&ciphertext)) == entry.sha256;
    (!same).then(|| format!("changed: the ciphertext of {} is not the one that was sent", entry.seq))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(seq: i64, nonce: &str) -> Event {
        Event { seq, nonce: nonce.to_owned(), ciphertext: BASE64.encode(nonce.as_bytes()), size: None }
    }

    fn entry(seq: i64, nonce: &str) -> Entry {
        let at = jiff::Timestamp::from_second(seq).expect("a small number of seconds");
        Entry { seq, nonce: nonce.to_owned(), sha256: HEXLOWER.encode(&digest(nonce.as_bytes())), at }
    }

    #[track_caller]
    fn check(events: &[(i64, &str)], until: Until, expected: &[&str]) {
        let events: Vec<Event> = events.iter().map(|(seq, nonce)| event(*seq, nonce)).collect();
        let entries = [entry(1, "a"), entry(2, "b"), entry(3, "c")];
        assert_eq!(compare(&events, &entries, until).problems, expected);
    }

    #[test]
    fn what_was_acknowledged_and_is_there_in_order_is_proven() {
        check(&[(1, "a"), (2, "b"), (3, "c")], Until::End, &[]);
    }

    #[test]
    fn events_nobody_acknowledged_are_no_problem() {
        check(&[(1, "a"), (2, "b"), (3, "c"), (4, "x")], Until::End, &[]);
    }

    #[test]
    fn a_lost_event_is_named() {
        let lost = "lost: 3 was acknowledged at 1970-01-01T00:00:03Z and is not there";
        check(&[(1, "a"), (2, "b")], Until::End, &[lost]);
    }

    #[test]
    fn what_came_after_the_point_in_question_may_be_gone() {
        check(&[(1, "a"), (2, "b")], Until::Seq(2), &[]);
        let time = jiff::Timestamp::from_second(2).expect("two seconds");
        check(&[(1, "a"), (2, "b")], Until::Time(time), &[]);
    }

    #[test]
    fn a_gap_is_named_with_its_ends() {
        check(&[(1, "a"), (4, "x")], Until::Seq(1), &["gap: 2 to 3 are missing"]);
    }

    #[test]
    fn a_doubled_and_a_moved_event_are_named() {
        check(
            &[(1, "a"), (2, "c"), (3, "c"), (4, "b")],
            Until::End,
            &["doubled: 2 and 3 are the same event", "moved: 4 was acknowledged as 2"],
        );
    }

    #[test]
    fn a_changed_ciphertext_is_named() {
        let mut changed = event(1, "a");
        changed.ciphertext = BASE64.encode(b"else");
        let problems = compare(&[changed], &[entry(1, "a")], Until::End).problems;
        assert_eq!(problems, ["changed: the ciphertext of 1 is not the one that was sent"]);
    }
}

//! Open-loop writing: an event leaves when its time has come, not when the one before was answered.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::Context;
use data_encoding::HEXLOWER;
use hyper::{Method, StatusCode};
use rand::{Rng, RngCore};
use serde::Serialize;
use tokio::{sync::mpsc, task::JoinSet, time::Instant};

use super::{
    Target, WriteArgs,
    ledger::{self, Entry},
    seconds,
};
use crate::{
    client::Client,
    wire::{Acknowledged, NONCE_BYTES, NewEvent, SigningKey, digest},
};

/// What came of a run.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Summary {
    /// Events that were sent at least once.
    pub sent: u64,
    /// Events the relay acknowledged.
    pub acknowledged: u64,
    /// Attempts beyond each event's first: 0 means that no request failed.
    pub retried: u64,
    /// Events that were given up.
    pub failed: u64,
    /// The longest time between one acknowledgement and the next.
    pub max_gap_ms: u64,
    /// Half of the events were acknowledged within this, from when they were due.
    pub p50_ms: u64,
    /// 99 of 100 were.
    pub p99_ms: u64,
    /// The newest place acknowledged.
    pub last_seq: i64,
    /// Why attempts failed, and how many.
    pub reasons: BTreeMap<String, u64>,
}

/// What all writers of one run share.
struct Run {
    client: Client,
    key: SigningKey,
    ledger: mpsc::UnboundedSender<Entry>,
    /// When trying ends.
    until: Instant,
    tally: Mutex<Tally>,
}

#[derive(Default)]
struct Tally {
    summary: Summary,
    latencies: Vec<Duration>,
    acknowledged_at: Vec<Instant>,
}

/// How one attempt ended, when it did not end well.
enum Failed {
    /// It may go better next time.
    Now(String),
    /// It never will.
    Forever(String),
}

/// Writes for as long as told and waits for every answer. What is not acknowledged is sent again with the same
/// nonce, so that nothing is kept twice.
pub async fn write(target: &Target, args: &WriteArgs) -> anyhow::Result<Summary> {
    let length = seconds(args.seconds, "seconds")?;
    anyhow::ensure!(args.rate > 0.0, "--rate must be above 0");
    let file = ledger::open(&args.ledger)
        .with_context(|| format!("cannot open the ledger `{}`", args.ledger.display()))?;
    let (ledger, entries) = mpsc::unbounded_channel();
    let keeping = tokio::task::spawn_blocking(move || ledger::keep(file, entries));
    let begun = Instant::now();
    let run = Arc::new(Run {
        client: target.client(Duration::from_secs(5))?,
        key: SigningKey::read(&args.secret_file).with_context(|| {
            format!("cannot read the shared secret from `{}`", args.secret_file.display())
        })?,
        ledger,
        until: begun + length + seconds(args.patience, "patience")?,
        tally: Mutex::default(),
    });

    let mut writers = JoinSet::new();
    let mut due = begun;
    while due < begun + length {
        tokio::time::sleep_until(due).await;
        writers.spawn(Arc::clone(&run).keep_one(due));
        due += Duration::from_secs_f64(1.0 / args.rate);
    }
    writers.join_all().await;

    let run = Arc::into_inner(run).context("a writer outlived its run")?;
    drop(run.ledger);
    keeping.await?.with_context(|| format!("cannot write the ledger `{}`", args.ledger.display()))?;
    Ok(run.tally.into_inner().unwrap_or_else(PoisonError::into_inner).summary())
}

impl Run {
    /// Sends one event until it is acknowledged, or refused for good, or time is up.
    async fn keep_one(self: Arc<Self>, due: Instant) {
        let (event, sha256) = self.invent();
        self.count(|tally| tally.summary.sent += 1);
        let mut pause = Duration::from_millis(50);
        loop {
            let reason = match self.attempt(&event).await {
                Ok(seq) => return self.acknowledged(seq, event.nonce, sha256, due),
                Err(Failed::Forever(reason)) => return self.count(|tally| tally.give_up(reason)),
                Err(Failed::Now(reason)) => reason,
            };
            if Instant::now() + pause >= self.until {
                return self.count(|tally| tally.give_up(reason));
            }
            self.count(|tally| {
                tally.summary.retried += 1;
                *tally.summary.reasons.entry(reason).or_default() += 1;
            });
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(500));
        }
    }

    /// A signed event that looks like ciphertext, and the hash it will be recognised by.
    fn invent(&self) -> (NewEvent, String) {
        let mut rng = rand::thread_rng();
        let mut nonce = [0_u8; NONCE_BYTES];
        let mut ciphertext = vec![0_u8; rng.gen_range(48..400)];
        rng.fill_bytes(&mut nonce);
        rng.fill_bytes(&mut ciphertext);
        (self.key.sign(&nonce, &ciphertext), HEXLOWER.encode(&digest(&ciphertext)))
    }

    async fn attempt(&self, event: &NewEvent) -> Result<i64, Failed> {
        let body = serde_json::to_vec(event).map_err(|error| Failed::Forever(error.to_string()))?;
        let headers = [("content-type", "application/json")];
        let (status, answer) = self
            .client
            .send(Method::POST, "/events", &headers, body)
            .await
            .map_err(|error| Failed::Now(format!("{:#}", anyhow::Error::from(error))))?;
        match status {
            StatusCode::OK => serde_json::from_slice::<Acknowledged>(&answer)
                .map(|acknowledged| acknowledged.seq)
                .map_err(|_| Failed::Now("answer not understood".to_owned())),
            StatusCode::BAD_REQUEST
            | StatusCode::UNAUTHORIZED
            | StatusCode::CONFLICT
            | StatusCode::PAYLOAD_TOO_LARGE
            | StatusCode::UNPROCESSABLE_ENTITY => Err(Failed::Forever(format!("status {}", status.as_u16()))),
            status => Err(Failed::Now(format!("status {}", status.as_u16()))),
        }
    }

    fn acknowledged(&self, seq: i64, nonce: String, sha256: String, due: Instant) {
        let entry = Entry { seq, nonce, sha256, at: jiff::Timestamp::now() };
        // The ledger's end tells of its own failure; this run then fails as a whole.
        let _ = self.ledger.send(entry);
        self.count(|tally| {
            tally.summary.acknowledged += 1;
            tally.summary.last_seq = tally.summary.last_seq.max(seq);
            tally.latencies.push(due.elapsed());
            tally.acknowledged_at.push(Instant::now());
        });
    }

    fn count(&self, change: impl FnOnce(&mut Tally)) {
        change(&mut self.tally.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Tally {
    fn give_up(&mut self, reason: String) {
        self.summary.failed += 1;
        *self.summary.reasons.entry(reason).or_default() += 1;
    }

    fn summary(mut self) -> Summary {
        self.latencies.sort();
        self.acknowledged_at.sort();
        let gaps = self.acknowledged_at.windows(2).map(|pair| pair[1] - pair[0]);
        let millis = |length: Duration| u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
        let at = |share: f64| {
            // The index is below the length, and a run has far fewer than 2^52 events.
            let index = (self.latencies.len() as f64 * share) as usize;
            self.latencies.get(index.min(self.latencies.len().saturating_sub(1))).copied().unwrap_or_default()
        };
        self.summary.max_gap_ms = millis(gaps.max().unwrap_or_default());
        self.summary.p50_ms = millis(at(0.5));
        self.summary.p99_ms = millis(at(0.99));
        self.summary
    }
}

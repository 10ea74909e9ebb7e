//! What the loop itself takes: a plan of a thousand steps on a modelled machine, its journal on disk and synced.
//!
//! ```text
//! cargo bench -p runner            prints figures and what is wanted; asserts no time
//! ```

#![allow(clippy::print_stdout, missing_docs)]

use std::{
    path::Path,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use futures_util::FutureExt;
use host::LockError;
use plan::{Action, Entry, Outcome, Output, Plan};
use runner::{Clock, Ended, Run, RunStore, SoFar, StepError, World, execute};
use stack::{Service, ServiceName, Shape};
use testkit::{
    ModelHost, Refusal,
    blog::{blog, machine, policy},
};

fn main() {
    // Where a temporary directory is memory, the build's is not.
    let here = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let dir = tempfile::tempdir_in(here).expect("a directory of our own");
    let host = machine();
    let facts = host.observe();
    let plan = plan::deploy(&shape(), &facts, &policy(&facts)).expect("it can be planned");
    let (took, at_host) = carried_out(dir.path(), &plan, host);
    let steps = plan.steps.len();
    println!(
        "{:42} {:>9.1} ms   wanted <= 1000 ms",
        format!("{steps} steps on the modelled machine"),
        millis(took)
    );
    let ours = millis(took.saturating_sub(at_host)) / steps as f64;
    println!("{:42} {ours:>9.3} ms   wanted <= 2 ms", "our overhead for each step, synced");
    let synced = syncs(dir.path(), 200);
    println!("{:42} {synced:>9.3} ms", "of that, two lines appended and synced");
}

/// The blog with so many services behind it that a deploy has a thousand steps.
fn shape() -> Shape {
    let mut shape = blog(1);
    let like =
        Service { depends_on: Default::default(), ..shape.services[&ServiceName::from("migrate")].clone() };
    let service = Service { image: "app:1".to_owned(), ..like };
    let services =
        (0..STANDING).map(|number| (ServiceName::from(format!("s{number}").as_str()), service.clone()));
    shape.services = services.collect();
    shape.secrets.clear();
    shape.states.clear();
    shape.backup.to.clear();
    shape
}

/// Services that make it a thousand steps.
const STANDING: usize = 332;

/// How long the run took, and how long of that the machine was busy.
fn carried_out(dir: &Path, plan: &Plan, mut host: ModelHost) -> (Duration, Duration) {
    host.turn_to(&plan.project);
    let mut run = RunStore::new(dir.join("runs")).create(plan.clone()).expect("a directory of our own");
    let world = Modelled { host: Mutex::new((host, Duration::ZERO)), told: Mutex::default() };
    let told = |_: &Run, entry: &Entry| own(&world.told).push(entry.clone());
    let began = Instant::now();
    let ended = execute(&mut run, &world, &Still(plan.made_at), &told).now_or_never();
    let took = began.elapsed();
    let ended = ended.expect("nothing here waits").expect("the plan is sound");
    assert_eq!(ended, Ended::Over(Outcome::Applied));
    (took, own(&world.host).1)
}

/// What it takes to append two lines and sync each: no journal can do with less.
fn syncs(dir: &Path, times: u32) -> f64 {
    use std::io::Write as _;
    let mut file = std::fs::File::create(dir.join("synced")).expect("a directory of our own");
    let began = Instant::now();
    for _ in 0..2 * times {
        file.write_all(&[b'x'; 120]).and_then(|()| file.sync_data()).expect("it can be written");
    }
    millis(began.elapsed()) / f64::from(times)
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

struct Modelled {
    host: Mutex<(ModelHost, Duration)>,
    told: Mutex<Vec<Entry>>,
}

#[async_trait]
impl World for Modelled {
    async fn apply(&self, action: &Action, so_far: SoFar<'_>) -> Result<Output, StepError> {
        let mut host = own(&self.host);
        let began = Instant::now();
        let result = host.0.act(so_far.plan, action, &own(&self.told));
        host.1 += began.elapsed();
        result.map_err(|refusal| match refusal {
            Refusal::Failed(because) | Refusal::Contract(because) => StepError::failed(because),
            Refusal::Waiting(instruction) => StepError::Waiting { instruction },
            Refusal::Crashed => StepError::failed("it stopped"),
        })
    }

    fn fence(&self) -> Result<Option<u64>, LockError> {
        Ok(None)
    }
}

fn own<T>(held: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Still(jiff::Timestamp);

impl Clock for Still {
    fn now(&self) -> jiff::Timestamp {
        self.0
    }
}

//! The only place that prints: data to stdout, talk to stderr. Everything it prints was rendered by `report`.

use std::{
    collections::BTreeMap,
    fmt,
    io::Write,
    process::ExitCode,
    sync::{Arc, Mutex},
};

use backup::Meter;
use diag::{Diagnostic, Exit, Stop};
use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use plan::{Entry, Plan, Progress};
use report::{
    AttestReport, BackupsReport, CheckReport, DoctorReport, FindingsReport, InitReport, LogsReport,
    PlanDiffReport, ProductionReport, RunReport, RunsReport, StatusReport, StepShown, Told, ValidateReport,
    Wrapped,
    text::{self, Style},
};
use runner::{Finished, Run};
use secrets::Secret;
use stack::Shape;

use crate::{interrupt::Interrupt, settings::Speech};

/// How things are said in this run of the program.
#[derive(Clone)]
pub(crate) struct View {
    speech: Speech,
    /// The moving line of the step that runs, on a terminal.
    moving: Arc<Mutex<Option<ProgressBar>>>,
    /// What that step has moved so far.
    meter: Meter,
    /// The run that is being carried out, and how far it is.
    in_hand: Arc<Mutex<Option<String>>>,
}

impl View {
    /// As the flags ask.
    pub(crate) fn new(speech: Speech) -> Self {
        Self { speech, moving: Arc::default(), meter: Meter::default(), in_hand: Arc::default() }
    }

    /// Before any flag is known.
    pub(crate) fn plain() -> Self {
        Self::early(false)
    }

    /// Before flags are resolved, when it is known only whether JSON is wanted.
    pub(crate) fn early(json: bool) -> Self {
        let speech =
            Speech { json, json_lines: false, quiet: false, verbose: false, colour: false, terminal: false };
        Self::new(speech)
    }

    fn style(&self) -> Style {
        let asked = if self.speech.colour { text::Colour::Always } else { text::Colour::Never };
        Style::new(asked, self.speech.terminal, false)
    }

    /// stderr is a terminal, and a person reads it.
    pub(crate) fn terminal(&self) -> bool {
        self.speech.terminal && !self.speech.json
    }

    /// Data, as it is.
    pub(crate) fn data(&self, text: &str) {
        // A reader that went away has nobody to tell.
        let _ = std::io::stdout().lock().write_all(text.as_bytes());
    }

    /// Talk: one line.
    pub(crate) fn say(&self, line: &str) {
        if !self.speech.quiet {
            self.tell(&format!("{line}\n"));
        }
    }

    /// A question, without a line end.
    pub(crate) fn ask(&self, question: &str) {
        self.tell(question);
    }

    fn tell(&self, text: &str) {
        let _ = std::io::stderr().lock().write_all(text.as_bytes());
    }

    /// Diagnostics that stop nothing.
    pub(crate) fn diagnostics(&self, said: &[Diagnostic]) {
        if !said.is_empty() && !self.speech.quiet {
            self.tell(&text::diagnostics(said, source_line, self.style()));
        }
    }

    /// What stopped the verb.
    pub(crate) fn stop(&self, stop: &Stop) -> Exit {
        if self.speech.json {
            self.data(&report::json(&report::Refusal::new(stop)));
        }
        self.tell(&text::diagnostics(&stop.diagnostics, source_line, self.style()));
        stop.exit
    }

    /// Words that are no command line, or the help that was asked for.
    pub(crate) fn not_understood(&self, error: &clap::Error) -> ExitCode {
        if self.speech.json && error.use_stderr() {
            let text = error.to_string();
            let first = text.lines().next().unwrap_or_default();
            let said = Diagnostic::error("usage", first.trim_start_matches("error: "));
            self.data(&report::json(&report::Refusal::new(&Stop::usage(said.hint("seaworthy --help")))));
        }
        // Nobody is left to tell when neither stream can be written.
        let _ = error.print();
        let exit = if error.use_stderr() { Exit::Usage } else { Exit::Done };
        ExitCode::from(exit.code())
    }

    /// Where a verb counts what it moves: the moving line shows it, and nothing else does.
    pub(crate) fn meter(&self) -> Meter {
        self.meter.clone()
    }

    /// Hears a run's entries as they are written.
    pub(crate) fn teller(&self) -> impl Fn(&Run, &Entry) + Sync + use<> {
        let view = self.clone();
        move |run: &Run, entry: &Entry| {
            view.take_in_hand(run, entry);
            if view.speech.json_lines {
                let line = serde_json::to_string(entry).expect("an entry always serialises");
                view.data(&format!("{line}\n"));
            } else if !view.speech.json && !view.speech.quiet {
                view.entry(run.plan(), run.progress(), entry);
            }
        }
    }

    fn take_in_hand(&self, run: &Run, entry: &Entry) {
        let rests = matches!(entry, Entry::Ended { .. } | Entry::Waiting { .. });
        let (id, done, steps) = (run.id(), run.progress().done.len(), run.plan().steps.len());
        if let Ok(mut in_hand) = self.in_hand.lock() {
            *in_hand = (!rests).then(|| format!("run {id} stands at step {done} of {steps}"));
        }
    }

    /// Somebody asked this process to stop, and it has.
    pub(crate) fn interrupted(&self, interrupt: Interrupt) -> ExitCode {
        self.settle();
        let by = interrupt.as_str();
        let in_hand = self.in_hand.lock().ok().and_then(|mut in_hand| in_hand.take());
        self.tell(&match in_hand {
            Some(run) => format!("interrupted by {by}: {run}, and the same command goes on\n"),
            None => format!("interrupted by {by}\n"),
        });
        ExitCode::from(interrupt.exit_code())
    }

    fn entry(&self, plan: &Plan, progress: &Progress, entry: &Entry) {
        self.settle();
        if matches!(entry, Entry::Began { .. }) {
            self.tell(&if self.speech.verbose { text::plan_steps(plan) } else { text::plan(plan) });
        }
        for line in text::progress(plan, progress, entry, self.style()) {
            self.tell(&format!("{line}\n"));
        }
        if let (true, Entry::Started { step, .. }) = (self.terminal(), entry) {
            let named = plan.steps.iter().find(|known| known.id == *step);
            self.move_along(&named.map(|step| format!("{} {}", step.kind, step.subject)).unwrap_or_default());
        }
    }

    /// A moving line while a step runs, with what it has moved where it moves something.
    fn move_along(&self, what: &str) {
        self.meter.reset();
        let meter = self.meter.clone();
        let moved = move |state: &ProgressState, out: &mut dyn fmt::Write| {
            // A line that cannot be drawn is drawn again in a moment.
            let _ = out.write_str(&text::moved(meter.bytes(), state.elapsed()));
        };
        let style = ProgressStyle::with_template("  {spinner} {msg}  {prefix}  {elapsed}  {moved}")
            .expect("the template is fixed")
            .with_key("moved", moved);
        let bar = ProgressBar::new_spinner().with_style(style).with_message(what.to_owned());
        bar.enable_steady_tick(std::time::Duration::from_millis(120));
        if let Ok(mut moving) = self.moving.lock() {
            *moving = Some(bar);
        }
    }

    /// Words in the moving line about how far its step has come.
    pub(crate) fn meanwhile(&self) -> impl Fn(&str) + Send + Sync + use<> {
        let moving = Arc::clone(&self.moving);
        move |words: &str| {
            if let Some(bar) = moving.lock().ok().as_ref().and_then(|moving| moving.as_ref()) {
                bar.set_prefix(words.to_owned());
            }
        }
    }

    fn settle(&self) {
        if let Some(bar) = self.moving.lock().ok().and_then(|mut moving| moving.take()) {
            bar.finish_and_clear();
        }
    }

    /// How a run ended.
    pub(crate) fn run(&self, finished: &Finished) -> Exit {
        self.settle();
        let report = report_of(finished);
        if self.speech.json {
            self.data(&report::json(&report));
        } else {
            self.tell(&text::outcome(&report, self.style()));
        }
        report.exit
    }

    /// One run, or one step of it.
    ///
    /// # Errors
    /// When it has no such step.
    pub(crate) fn run_shown(&self, report: &RunReport, step: Option<usize>) -> Result<(), Stop> {
        let Some(number) = step else {
            match self.speech.json {
                true => self.data(&report::json(report)),
                false => self.data(&text::run_shown(report)),
            }
            return Ok(());
        };
        let step = report.steps.iter().find(|step| step.n == number).ok_or_else(|| {
            Stop::usage(Diagnostic::error(
                "no-step",
                format!("the run has no step {number}; it has {}", report.steps.len()),
            ))
        })?;
        match self.speech.json {
            true => self.data(&report::json(&StepShown::new(report, step))),
            false => self.data(&text::step_shown(step)),
        }
        Ok(())
    }

    /// A plan that is not carried out.
    pub(crate) fn plan(&self, plan: &Plan) {
        if self.speech.json {
            self.data(&report::json(plan));
        } else {
            self.data(&text::plan_steps(plan));
        }
    }

    /// How two plans differ.
    pub(crate) fn plan_differences(&self, report: &PlanDiffReport) -> Exit {
        match self.speech.json {
            true => self.data(&report::json(report)),
            false => self.data(&text::plan_differences(report)),
        }
        report.exit()
    }

    /// What preflight found.
    pub(crate) fn findings(&self, findings: &FindingsReport) -> Exit {
        match self.speech.json {
            true => self.data(&report::json(findings)),
            false => self.data(&text::findings(findings, None, self.style())),
        }
        findings.exit
    }

    /// That checks ran before a deploy: a count, no list.
    pub(crate) fn counted(&self, findings: &FindingsReport) {
        let said = findings.all_said();
        let errors = said.iter().filter(|said| said.severity == diag::Severity::Error).count();
        if !said.is_empty() && !self.speech.json {
            let others = said.len() - errors;
            let errors = text::count(errors, "error");
            self.say(&format!(
                "preflight: {errors}, {others} of less weight (seaworthy preflight lists them)"
            ));
        }
    }

    /// What a live stack answered.
    pub(crate) fn validation(&self, report: &ValidateReport) -> Exit {
        match self.speech.json {
            true => self.data(&report::json(report)),
            false => self.data(&text::validate(report, self.style())),
        }
        report.exit
    }

    /// What is wrong.
    pub(crate) fn doctor(&self, report: &DoctorReport) -> Exit {
        match self.speech.json {
            true => self.data(&report::json(report)),
            false => self.data(&text::doctor(report, self.style())),
        }
        report.exit
    }

    /// How a stack stands.
    pub(crate) fn status(&self, report: &StatusReport) {
        match self.speech.json {
            true => self.data(&report::json(report)),
            false => self.data(&text::status(report, self.style())),
        }
    }

    /// All runs.
    pub(crate) fn runs(&self, report: &RunsReport) {
        match self.speech.json {
            true => self.data(&report::json(report)),
            false => self.data(&text::runs(report)),
        }
    }

    /// All sets.
    pub(crate) fn backups(&self, report: &BackupsReport) {
        match self.speech.json {
            true => self.data(&report::json(report)),
            false => self.data(&text::backups(report)),
        }
    }

    /// A check in full.
    pub(crate) fn check(&self, check: &checks::Check) {
        match self.speech.json {
            true => self.data(&report::json(&CheckReport::from(check))),
            false => self.data(&text::explanation(check)),
        }
    }

    /// What production forbids.
    pub(crate) fn production(&self) {
        match self.speech.json {
            true => self.data(&report::json(&ProductionReport::of_the_table())),
            false => self.data(&text::production()),
        }
    }

    /// What `init` wrote.
    pub(crate) fn init(&self, report: &InitReport) {
        if self.speech.json {
            return self.data(&report::json(report));
        }
        for line in &report.recognised {
            self.say(line);
        }
        let lines = report.toml.lines().count();
        self.say(&format!("wrote seaworthy.toml ({lines} lines). Next: seaworthy bootstrap"));
    }

    /// A person's step is done.
    pub(crate) fn attested(&self, report: &AttestReport) {
        match self.speech.json {
            true => self.data(&report::json(report)),
            false => self.say(&format!(
                "{} attested run {}. It goes on with: {}",
                report.who, report.run, report.next
            )),
        }
    }

    /// Whether one JSON document is wanted, which ends and so cannot follow anything.
    pub(crate) fn one_document(&self) -> bool {
        self.speech.json
    }

    /// What services printed, all of it at once.
    pub(crate) fn logs(&self, report: &LogsReport) {
        self.data(&report::json(report));
    }

    /// A text that another program takes; wrapped where JSON is wanted.
    pub(crate) fn wrapped<T: serde::Serialize>(&self, schema: &'static str, text: &str, content: T) {
        match self.speech.json {
            true => self.data(&report::json(&Wrapped { schema, content })),
            false => self.data(text),
        }
    }

    /// That a set can be opened by this state directory alone.
    pub(crate) fn warn_own_identity(&self, shape: &Shape) {
        if shape.backup.recipients.is_empty() {
            self.diagnostics(&[Diagnostic::warning(
                "own-identity",
                "`[backup] recipients` is empty: only the identity in this state directory opens this set",
            )
            .hint(
                "age-keygen -o identity.txt; keep it elsewhere, and put its public key into `recipients`",
            )]);
        }
    }

    /// New shares, once, on the terminal alone: not on stdout, which may be a file.
    pub(crate) fn show_shares_once(
        &self,
        shares: &[Secret<String>],
    ) -> Result<(), secrets::keystore::BoxError> {
        self.settle();
        let mut terminal = std::fs::OpenOptions::new().write(true).open("/dev/tty")?;
        writeln!(terminal, "\nkey shares, shown once: give each to its holder, away from the data")?;
        for (number, share) in shares.iter().enumerate() {
            writeln!(terminal, "  share {}: {}", number + 1, share.expose())?;
        }
        writeln!(terminal)?;
        Ok(())
    }

    /// A bundled application could not do its work.
    #[cfg(feature = "demo")]
    pub(crate) fn app_failed(&self, error: &anyhow::Error) -> ExitCode {
        self.tell(&format!("error: {error:#}\n"));
        ExitCode::from(Exit::Usage.code())
    }

    /// The machine gives no threads.
    pub(crate) fn no_runtime(&self, error: &std::io::Error) -> ExitCode {
        self.tell(&format!("error: cannot start: {error}\n"));
        ExitCode::from(Exit::Precondition.code())
    }
}

fn report_of(finished: &Finished) -> RunReport {
    let broke = finished.broke.as_ref().map(|holder| {
        Diagnostic::note("stale-lock", format!("the lock of {holder} was stale, and is broken"))
    });
    let settled = finished.settled.as_ref().map(|(run, _)| {
        Diagnostic::note("settled", format!("run {run} had been interrupted: it was settled first"))
    });
    let diagnostics: Vec<Diagnostic> = broke.into_iter().chain(settled).collect();
    let told = Told { run: finished.run.as_deref(), diagnostics: &diagnostics };
    report::run_report(&finished.plan, &finished.progress, told)
}

/// The line of a file that a place names, for the reader to see. Not of an env file: what it holds is nobody's to repeat.
fn source_line(place: &diag::Place) -> Option<String> {
    if !["yaml", "yml", "toml"].iter().any(|kind| place.file.ends_with(&format!(".{kind}"))) {
        return None;
    }
    static FILES: Mutex<BTreeMap<String, Option<String>>> = Mutex::new(BTreeMap::new());
    let mut files = FILES.lock().ok()?;
    let text = files.entry(place.file.clone()).or_insert_with(|| std::fs::read_to_string(&place.file).ok());
    let at = usize::try_from(place.line).ok()?.checked_sub(1)?;
    text.as_ref()?.lines().nth(at).map(str::to_owned)
}

//! What a person can type.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// The runbook of a self-hosted stack, as a program.
///
/// It takes a Compose file and one seaworthy.toml through bootstrap, deploy, backup, restore and drill, and keeps
/// the proof that it can.
#[derive(Debug, Parser)]
#[command(name = "seaworthy", version, arg_required_else_help = true, after_help = EXIT_CODES, max_term_width = 110)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

const EXIT_CODES: &str = "\
Exit codes: 0 done, or nothing to do · 1 findings, or the change failed and was undone · 2 bad usage or input ·
3 only expired waivers · 4 a precondition is missing, or a person must act first · 5 the plan is stale ·
6 stuck: a person is needed, and the command to run stands on the last line";

/// Flags that mean the same everywhere.
#[derive(Debug, Args, Clone)]
pub(crate) struct Global {
    /// Compose file; repeatable, later ones override.
    #[arg(short = 'f', long = "file", global = true, value_name = "FILE")]
    pub(crate) files: Vec<String>,
    /// Project name.
    #[arg(short = 'p', long, global = true, value_name = "NAME")]
    pub(crate) project_name: Option<String>,
    /// Where the stack's files are; default: here.
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) project_directory: Option<PathBuf>,
    /// Environment file; repeatable.
    #[arg(long = "env-file", global = true, value_name = "FILE")]
    pub(crate) env_files: Vec<String>,
    /// Compose profile; repeatable.
    #[arg(long = "profile", global = true, value_name = "NAME")]
    pub(crate) profiles: Vec<String>,
    /// Which declared shape; default: that of the live release, else the first.
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) shape: Option<String>,
    /// Where services run; default: docker.
    #[arg(long, global = true, value_enum)]
    pub(crate) engine: Option<EngineArg>,
    /// Where runs, releases and secrets are kept.
    #[arg(long, global = true, value_name = "DIR", env = "SEAWORTHY_STATE_DIR")]
    pub(crate) state_dir: Option<PathBuf>,
    /// One JSON document on stdout.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Journal entries on stdout as they happen, one JSON document a line.
    #[arg(long, global = true, conflicts_with = "json")]
    pub(crate) json_lines: bool,
    /// Say only how it ended.
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Say more.
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
    /// Colour.
    #[arg(long, global = true, value_enum, default_value_t = Colour::Auto)]
    pub(crate) color: Colour,
}

/// `--engine`.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum EngineArg {
    /// The Docker Engine API.
    Docker,
    /// Native processes: isolates nothing.
    Process,
}

/// `--color`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Colour {
    /// On a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The verbs. Each does its own job and no other's.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// setup: read a Compose file, write seaworthy.toml
    Init(InitArgs),
    /// setup: generate missing secrets, initialise the key store; overwrites nothing
    Bootstrap(BootstrapArgs),
    /// static: what would run in a shape
    Render(RenderArgs),
    /// static: checks that need no running stack
    Preflight,
    /// static: what a verb would do, why, and what it would not
    Plan(PlanArgs),
    /// ops: to a new release; undone by itself when it fails its probes
    Deploy(DeployArgs),
    /// ops: back to a release that was good
    Rollback(RollbackArgs),
    /// dynamic: what must answer, and what must not
    Validate,
    /// dynamic: what is wrong, from what is seen, and what to do about it
    Doctor,
    /// dynamic: what is
    Status,
    /// dynamic: what services printed
    Logs(LogsArgs),
    /// dynamic: what was done
    Runs(RunsArgs),
    /// ops: write one set: data, and the keys that open it
    Backup,
    /// dynamic: the sets there are
    Backups(BackupsArgs),
    /// ops: bring a set back
    Restore(RestoreArgs),
    /// proof: restore a set into a throwaway, prove it, measure RPO and RTO
    Drill(DrillArgs),
    /// destructive: remove the stack; refused on a live one
    Destroy(DestroyArgs),
    /// ops: a person's step was done
    Attest(AttestArgs),
    /// what a check means, or what production forbids
    Explain(ExplainArgs),
    /// the JSON Schema of seaworthy.toml
    Schema,
    /// proof: the whole life of a bundled stack, from nothing
    Demo(DemoArgs),
    /// shell completions
    Completions(CompletionsArgs),
    /// Runs beside the stack.
    #[command(hide = true, subcommand)]
    Side(crate::side::Side),
    /// A bundled application.
    #[cfg(feature = "demo")]
    #[command(hide = true, subcommand)]
    App(apps::Command),
}

/// `init`.
#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// Write over a seaworthy.toml that is there.
    #[arg(long)]
    pub(crate) force: bool,
}

/// `bootstrap`.
#[derive(Debug, Args)]
pub(crate) struct BootstrapArgs {
    #[command(flatten)]
    pub(crate) given: GivenArgs,
    /// Where sealed shares are written, one file a holder; never beside the data.
    #[arg(long, value_name = "DIR")]
    pub(crate) shares_out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) shares: SharesArgs,
}

/// The key store's shares, for verbs that start it.
#[derive(Debug, Args, Default)]
pub(crate) struct SharesArgs {
    /// Unseal with the shares in this file, one a line; `-`: stdin.
    #[arg(long, value_name = "FILE")]
    pub(crate) shares: Option<PathBuf>,
}

/// `render`.
#[derive(Debug, Args)]
pub(crate) struct RenderArgs {
    /// `compose`: exactly what `docker compose config --format json` prints, and nothing around it.
    #[arg(long, value_parser = ["compose"])]
    pub(crate) format: Option<String>,
}

/// `plan VERB`.
#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    /// The verb to plan, or plans that were kept.
    #[command(subcommand)]
    pub(crate) what: PlanWhat,
    /// Keep the plan in this file too: `deploy`, `rollback`, `restore` and `destroy` carry it out with --plan.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

/// What is looked at: what a verb would do now, or what stands in files.
#[derive(Debug, Subcommand)]
pub(crate) enum PlanWhat {
    #[command(flatten)]
    Verb(Planned),
    /// What stands in a plan file.
    Show {
        /// The file.
        file: PathBuf,
    },
    /// How two plan files differ; exit 1 where they do.
    Diff {
        /// One.
        one: PathBuf,
        /// The other.
        other: PathBuf,
    },
}

/// A verb that can be planned without being carried out, with what decides its plan.
#[derive(Debug, Subcommand)]
pub(crate) enum Planned {
    /// What `bootstrap` would generate.
    Bootstrap(GivenArgs),
    /// What `deploy` would change.
    Deploy,
    /// What `rollback` would bring back.
    Rollback {
        /// The release; default: the one before the current.
        release: Option<u64>,
    },
    /// What `backup` would write, and prune.
    Backup,
    /// What `restore` would bring back, and where.
    Restore(WhichSetArgs),
    /// What `drill` would prove.
    Drill(WhichSetArgs),
    /// What `destroy` would remove.
    Destroy {
        /// Its volumes too, and what is in them.
        #[arg(long)]
        volumes: bool,
    },
}

/// A plan that was read before.
#[derive(Debug, Args, Default)]
pub(crate) struct PlanFileArgs {
    /// Carry out the plan in this file, and only while it is what would be done now (else exit 5).
    #[arg(long, value_name = "FILE")]
    pub(crate) plan: Option<PathBuf>,
}

/// `deploy`.
#[derive(Debug, Args)]
pub(crate) struct DeployArgs {
    #[command(flatten)]
    pub(crate) planned: PlanFileArgs,
    #[command(flatten)]
    pub(crate) shares: SharesArgs,
}

/// Which set, and where.
#[derive(Debug, Args)]
pub(crate) struct WhichSetArgs {
    /// The set; default: the newest.
    pub(crate) set: Option<String>,
    #[command(flatten)]
    pub(crate) sets: SetArgs,
}

/// Values of secrets that only a person has.
#[derive(Debug, Args)]
pub(crate) struct GivenArgs {
    /// NAME=FILE: take a given secret's value from a file; repeatable.
    #[arg(long, value_name = "NAME=FILE")]
    pub(crate) from_file: Vec<String>,
    /// NAME: take a given secret's value from stdin.
    #[arg(long, value_name = "NAME")]
    pub(crate) from_stdin: Option<String>,
}

/// `rollback`.
#[derive(Debug, Args)]
pub(crate) struct RollbackArgs {
    /// The release; default: the one before the current.
    pub(crate) release: Option<u64>,
    #[command(flatten)]
    pub(crate) planned: PlanFileArgs,
    #[command(flatten)]
    pub(crate) shares: SharesArgs,
}

/// `logs`.
#[derive(Debug, Args)]
pub(crate) struct LogsArgs {
    /// The service; default: all.
    pub(crate) service: Option<String>,
    /// So many of the newest lines of each.
    #[arg(long, default_value_t = 100)]
    pub(crate) tail: usize,
    /// Go on as they come.
    #[arg(long)]
    pub(crate) follow: bool,
}

/// `runs`.
#[derive(Debug, Args)]
pub(crate) struct RunsArgs {
    /// `show ID`: one run.
    #[command(subcommand)]
    pub(crate) what: Option<RunsWhat>,
}

/// `runs show`.
#[derive(Debug, Subcommand)]
pub(crate) enum RunsWhat {
    /// One run, step by step.
    Show {
        /// Its id.
        id: String,
        /// Only this step, by number from 1.
        #[arg(long)]
        step: Option<usize>,
    },
}

/// `backups`.
#[derive(Debug, Args)]
pub(crate) struct BackupsArgs {
    /// The target to read; default: all of `[backup] to`.
    #[arg(long, value_name = "DIR")]
    pub(crate) from: Option<PathBuf>,
}

/// Where sets are and who may open them.
#[derive(Debug, Args, Default, Clone)]
pub(crate) struct SetArgs {
    /// The target to read; default: the first of `[backup] to`.
    #[arg(long, value_name = "DIR")]
    pub(crate) from: Option<PathBuf>,
    /// age identities that open the set; `-`: stdin. Default: the one in the state directory.
    #[arg(long, value_name = "FILE")]
    pub(crate) identity: Option<PathBuf>,
    /// Fingerprint of the signer a set must carry; default: this state directory's own.
    #[arg(long, value_name = "FINGERPRINT")]
    pub(crate) signer: Option<String>,
}

/// `restore`.
#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    #[command(flatten)]
    pub(crate) which: WhichSetArgs,
    /// The stack's name, typed: needed where it is marked live.
    #[arg(long, value_name = "NAME")]
    pub(crate) confirm: Option<String>,
    #[command(flatten)]
    pub(crate) planned: PlanFileArgs,
    #[command(flatten)]
    pub(crate) shares: SharesArgs,
}

/// `drill`.
#[derive(Debug, Args)]
pub(crate) struct DrillArgs {
    #[command(flatten)]
    pub(crate) which: WhichSetArgs,
    #[command(flatten)]
    pub(crate) shares: SharesArgs,
}

/// `destroy`.
#[derive(Debug, Args)]
pub(crate) struct DestroyArgs {
    /// The stack's name, typed.
    #[arg(long, value_name = "NAME")]
    pub(crate) confirm: Option<String>,
    /// Remove its volumes too, and what is in them.
    #[arg(long)]
    pub(crate) volumes: bool,
    #[command(flatten)]
    pub(crate) planned: PlanFileArgs,
}

/// `attest`.
#[derive(Debug, Args)]
pub(crate) struct AttestArgs {
    /// The run that waits.
    pub(crate) run: String,
    /// Who did it.
    #[arg(long)]
    pub(crate) who: String,
    /// What proves it.
    #[arg(long)]
    pub(crate) proof: String,
}

/// `explain`.
#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// A check's id, or `production`.
    pub(crate) id: String,
}

/// `demo`.
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Where the demo lives; default: a new directory below the system's temporary one.
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// Remove everything at the end instead of leaving the stack to look at.
    #[arg(long)]
    pub(crate) clean: bool,
}

/// `completions`.
#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell.
    pub(crate) shell: clap_complete::Shell,
}

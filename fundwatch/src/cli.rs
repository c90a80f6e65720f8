//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use domain::{BusinessDate, Detector, Period};

/// Supervision and early warning for a public pension fund (企业职工基本养老保险基金监督预警).
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, after_help = EXIT_CODES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 done; 1 could not be done (a file, a disk, a broker); 2 an error of policy, configuration or usage; 3 another process of the cluster ended, hung or was stopped (run).";

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// The whole product on embedded parts: a simulated city, judged as its feeds grow; no broker, no mail server.
    Demo(Demo),
    /// Judge feed files as of a date, and write alerts, dead letters and a summary.
    Replay(Replay),
    /// How the fund stands: its ledger, its health, and what is projected.
    #[command(subcommand)]
    Report(Report),
    /// Say what is wrong with a policy, a configuration or feed files, without judging anything.
    Check(Check),
    /// The daemon: feeds on Kafka to alerts that are stored, published and mailed.
    Run(Run),
    /// Make the feeds of a city that does not exist, with planted irregularities and their truth.
    Simulate(Simulate),
    /// The topics on the broker.
    #[command(subcommand)]
    Topics(Topics),
    /// The facts that the daemon keeps on disk, so that a start need not read the topics again.
    #[command(subcommand)]
    State(State),
    /// Why an alert is due: its rule with the numbers put in, its evidence, and what was told of it.
    Explain(Explain),
    /// Hold back mails on some alerts for a time, with a reason; nothing is dropped.
    #[command(subcommand)]
    Silence(Silence),
    /// List what a mail server or a webhook refused for good.
    Refused(Stored),
    /// The review console's people.
    #[command(subcommand)]
    Console(Console),
    /// The review console's audit trail.
    #[command(subcommand)]
    Audit(Audit),
}

/// `fundwatch console`
#[derive(Debug, Subcommand)]
pub enum Console {
    /// Make an administrator, or a new token for one, and print the one-time token to enrol with.
    Token(ConsoleToken),
}

/// `fundwatch console token`
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  fundwatch console token --config fundwatch.toml --login chen --name 陈"
)]
pub struct ConsoleToken {
    /// The daemon's configuration: the casebook is the one that it names.
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// The name to log in with: 2 to 32 of a-z 0-9 . _ -, the first a letter.
    #[arg(long, value_name = "LOGIN")]
    pub login: String,
    /// The name that others see; of somebody new.
    #[arg(long, value_name = "NAME", default_value = "管理员")]
    pub name: String,
}

/// `fundwatch audit`
#[derive(Debug, Subcommand)]
pub enum Audit {
    /// Look through the whole trail: exit code 0 if each row follows from the one before, 1 if not.
    Verify(AuditVerify),
}

/// `fundwatch audit verify`
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  fundwatch audit verify --config fundwatch.toml --known 3f9c…")]
pub struct AuditVerify {
    /// The daemon's configuration: the casebook is the one that it names.
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// A last hash that was written down before: it must still be in the trail.
    #[arg(long, value_name = "HASH")]
    pub known: Option<String>,
}

/// `fundwatch state`
#[derive(Debug, Subcommand)]
pub enum State {
    /// Show the segments, and how far each partition is known. Nothing is changed; the daemon may run.
    Inspect(StateOf),
    /// Read everything, and say whether it is whole: exit code 0 if it is, 1 if not.
    Verify(StateOf),
}

/// Whose state.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  fundwatch state verify --config ops/fundwatch/fundwatch.toml")]
pub struct StateOf {
    /// The daemon's configuration.
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// Of which process under [cluster], instead of what the configuration says.
    #[arg(long, value_name = "N")]
    pub process: Option<usize>,
}

/// A command on the daemon's store, which may be running.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  fundwatch refused --config ops/fundwatch/fundwatch.toml")]
pub struct Stored {
    /// The daemon's configuration: the store is the one that it names.
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
}

/// `fundwatch explain`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  fundwatch explain 1a2b3c4d --config ops/fundwatch/fundwatch.toml\n  fundwatch explain 1a2b3c4d --data demo --raw --lang en"
)]
pub struct Explain {
    /// The alert's id, or as much of its beginning as names it alone.
    #[arg(value_name = "ALERT")]
    pub alert: String,
    /// The daemon's configuration: store and state are those that it names. The daemon may run.
    #[arg(long, value_name = "FILE", required_unless_present = "data")]
    pub config: Option<PathBuf>,
    /// A folder that `fundwatch demo --out` has filled.
    #[arg(long, value_name = "FOLDER", conflicts_with = "config")]
    pub data: Option<PathBuf>,
    /// The policy that the demo judged by; default: the built-in one of Huangshan.
    #[arg(long, value_name = "FILE", requires = "data")]
    pub policy: Option<PathBuf>,
    /// Read the records of the evidence once more, and show them; whom they are about is masked.
    #[arg(long)]
    pub raw: bool,
    /// How it is written.
    #[arg(long, value_enum, default_value_t = ExplainFormat::Text)]
    pub format: ExplainFormat,
    /// The language of the words.
    #[arg(long, value_enum, default_value_t = Lang::Zh)]
    pub lang: Lang,
}

/// How an explanation is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExplainFormat {
    /// For a terminal.
    Text,
    /// For programs.
    Json,
}

/// `fundwatch silence`
#[derive(Debug, Subcommand)]
pub enum Silence {
    /// Hold back mails on alerts that match; what is still to be told at the end is told then.
    Add(SilenceAdd),
    /// List silences, the latest first.
    List(Stored),
    /// End a silence before its time.
    End(SilenceEnd),
}

/// `fundwatch silence add`
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  fundwatch silence add --config fundwatch.toml --detector silent-feed --region 341021 --hours 48 --reason \"the county moves its data centre\""
)]
pub struct SilenceAdd {
    /// The daemon's configuration: the store is the one that it names.
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// Of this detector only.
    #[arg(long, value_name = "NAME", value_parser = detector, required_unless_present_any = ["region", "alert"])]
    pub detector: Option<Detector>,
    /// Of this region only.
    #[arg(long, value_name = "CODE")]
    pub region: Option<String>,
    /// This alert only, by the id that its mails show.
    #[arg(long, value_name = "ID")]
    pub alert: Option<String>,
    /// For how long from now.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=2160))]
    pub hours: u16,
    /// Why. It is listed, and stands in no mail.
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
}

/// `fundwatch silence end`
#[derive(Debug, Args)]
pub struct SilenceEnd {
    /// The daemon's configuration: the store is the one that it names.
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// Its number, as `silence list` shows it.
    #[arg(value_name = "N")]
    pub n: i64,
}

/// `fundwatch demo`
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  fundwatch demo --out demo")]
pub struct Demo {
    /// Folder for feeds, database and mails; emptied of an earlier demo's. Default: a new one in the
    /// system's folder for temporary files.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// How many months are simulated.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=36))]
    pub months: u16,
    /// Everything that is drawn follows from it.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// At most so many days a second, to watch the boards fill; default: as fast as they are judged.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub days_per_second: Option<u32>,
    /// Keep serving the metrics and the console afterwards, until interrupted.
    #[arg(long)]
    pub stay: bool,
}

/// `fundwatch check`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  fundwatch check --policy rules/policies/huangshan.toml\n  fundwatch check --config ops/fundwatch/fundwatch.toml\n  fundwatch check --policy rules/policies/huangshan.toml --feeds feeds"
)]
pub struct Check {
    /// A policy.
    #[arg(long, value_name = "FILE", required_unless_present = "config")]
    pub policy: Option<PathBuf>,
    /// A configuration, and the policy that it names.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Folder of feed files: decode every record, and say which would be rejected.
    #[arg(long, value_name = "DIR")]
    pub feeds: Option<PathBuf>,
}

/// `fundwatch run`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  fundwatch run --config ops/fundwatch/fundwatch.toml\n  fundwatch run --config cluster.toml --process 1 --listen 127.0.0.1:9465"
)]
pub struct Run {
    /// The configuration.
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// Which of the processes under [cluster] this one is, instead of what the configuration says.
    #[arg(long, value_name = "N")]
    pub process: Option<usize>,
    /// Address and port of the pages, instead of `http.listen`: of two processes on one machine.
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
}

/// `fundwatch simulate`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  fundwatch simulate --out feeds\n  fundwatch simulate --out feeds --records 5000000 --seed 7\n  fundwatch simulate --to kafka --bootstrap localhost:9092 --rate 50000\n  fundwatch simulate --scenario huangshan-2005-2007 --out feeds"
)]
pub struct Simulate {
    /// Where the feeds go.
    #[arg(long, value_enum, default_value_t = Target::Files)]
    pub to: Target,
    /// Folder for the feed files, and for `truth.jsonl`.
    #[arg(long, value_name = "DIR", required_if_eq("to", "files"))]
    pub out: Option<PathBuf>,
    /// The broker, `host:port`.
    #[arg(long, value_name = "HOSTS", required_if_eq("to", "kafka"))]
    pub bootstrap: Option<String>,
    /// Put before the name of each topic.
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub topic_prefix: String,
    /// Records a second to Kafka; default: as fast as it takes them.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub rate: Option<u64>,
    /// The pool's policy; default: the built-in one of Huangshan.
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// What to simulate: `city`, or `huangshan-2005-2007`, whose flows add up to the published tables.
    #[arg(long, value_name = "NAME", default_value = "city", value_parser = scenario)]
    pub scenario: simulate::Scenario,
    /// Everything that is drawn follows from it.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// The first month, YYYY-MM.
    #[arg(long, value_name = "MONTH", default_value = "2024-01", value_parser = period)]
    pub from: Period,
    /// How many months.
    #[arg(long, value_name = "N", default_value_t = 12)]
    pub months: u16,
    /// Retirees at the start.
    #[arg(long, value_name = "N")]
    pub retirees: Option<u32>,
    /// Enterprises at the start.
    #[arg(long, value_name = "N")]
    pub enterprises: Option<u32>,
    /// Contributors of all enterprises at the start.
    #[arg(long, value_name = "N")]
    pub contributors: Option<u32>,
    /// Grow or shrink the city so that about so many records come out.
    #[arg(long, value_name = "N")]
    pub records: Option<u64>,
    /// How much goes wrong, in hundredths of the usual; 0: nothing at all.
    #[arg(long, value_name = "PERCENT", default_value_t = 100)]
    pub irregularities: u32,
    /// No feed falls silent, so that a live run ends exactly as a replay does.
    #[arg(long)]
    pub no_silences: bool,
}

/// Where simulated feeds go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Target {
    /// Files in a folder.
    Files,
    /// Topics on a broker.
    Kafka,
}

/// `fundwatch topics`
#[derive(Debug, Subcommand)]
pub enum Topics {
    /// Make the topics of the feeds, of alerts and of dead letters; those that are there are left alone.
    Create(TopicsCreate),
}

/// `fundwatch topics create`
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  fundwatch topics create --bootstrap localhost:9092 --partitions 8"
)]
pub struct TopicsCreate {
    /// The daemon's configuration: the broker is the one that it names.
    #[arg(long, value_name = "FILE", required_unless_present = "bootstrap")]
    pub config: Option<PathBuf>,
    /// The broker, `host:port`.
    #[arg(long, value_name = "HOSTS", conflicts_with = "config")]
    pub bootstrap: Option<String>,
    /// Put before the name of each topic.
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        conflicts_with = "config"
    )]
    pub topic_prefix: String,
    /// Partitions of each feed. Regions are spread over them; more than regions are of no use.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(i32).range(1..=1000))]
    pub partitions: i32,
    /// Copies of each partition: 3 on a cluster.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(i32).range(1..=10))]
    pub replication: i32,
}

/// `fundwatch report`
#[derive(Debug, Subcommand)]
pub enum Report {
    /// What was collected, remitted, subsidised, allocated and paid; money on its way; identities that must close.
    #[command(
        after_help = "Examples:\n  fundwatch report ledger --feeds feeds --policy rules/policies/huangshan.toml --as-of 2007-12-31\n  fundwatch report ledger --feeds feeds --policy policy.toml --as-of 2024-12-31 --by month --format xlsx --out ledger.xlsx"
    )]
    Ledger(ReportLedger),
    /// The indicators of the fund's health, graded by the policy, and how complete their inputs are.
    #[command(
        after_help = "Example:\n  fundwatch report health --feeds feeds --policy rules/policies/huangshan.toml --as-of 2007-12-31"
    )]
    Health(ReportCommon),
    /// A projection of collections, payouts and the reserve, with its error on past months; no promise.
    #[command(
        after_help = "Example:\n  fundwatch report forecast --feeds feeds --policy rules/policies/huangshan.toml --as-of 2007-12-31"
    )]
    Forecast(ReportCommon),
}

/// `fundwatch report ledger`
#[derive(Debug, Args)]
pub struct ReportLedger {
    /// What all reports share.
    #[command(flatten)]
    pub common: ReportCommon,
    /// How days are put together.
    #[arg(long, value_enum, default_value_t = Span::Year)]
    pub by: Span,
}

/// What all reports share.
#[derive(Debug, Args)]
pub struct ReportCommon {
    /// Folder with `TOPIC.jsonl`, `.jsonl.gz`, `.jsonl.zst` or `TOPIC/` of such files.
    #[arg(long, value_name = "DIR", required_unless_present = "config")]
    pub feeds: Option<PathBuf>,
    /// The pool's policy.
    #[arg(long, value_name = "FILE", required_unless_present = "config")]
    pub policy: Option<PathBuf>,
    /// The daemon's configuration: read its feeds on Kafka from the beginning to where they are now.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["feeds", "policy"])]
    pub config: Option<PathBuf>,
    /// Facts dated up to this day count, YYYY-MM-DD.
    #[arg(long, value_name = "DATE", value_parser = date)]
    pub as_of: BusinessDate,
    /// How it is written.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
    /// The language of headings and words.
    #[arg(long, value_enum, default_value_t = Lang::Zh)]
    pub lang: Lang,
    /// Only this part of the report; CSV has the first one, if none is named.
    #[arg(long, value_name = "NAME")]
    pub part: Option<String>,
    /// The file to write; default: standard output. A workbook needs a file.
    #[arg(long, value_name = "FILE", required_if_eq("format", "xlsx"))]
    pub out: Option<PathBuf>,
    /// Worker threads; the result is the same for any number. Default: one for each processor.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub workers: Option<u16>,
}

/// Days, put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Span {
    /// Each by itself.
    Day,
    /// Calendar months.
    Month,
    /// Calendar years.
    Year,
}

/// How a report is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For a terminal.
    Table,
    /// Comma-separated values, for a spreadsheet.
    Csv,
    /// A workbook, a sheet for each part.
    Xlsx,
    /// For programs: amounts are strings with two decimals.
    Json,
}

/// The language of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Lang {
    /// Chinese.
    Zh,
    /// English.
    En,
}

/// `fundwatch replay`
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  fundwatch replay --feeds feeds --policy rules/policies/huangshan.toml --as-of 2024-12-31 --out out"
)]
pub struct Replay {
    /// Folder with `TOPIC.jsonl`, `.jsonl.gz`, `.jsonl.zst` or `TOPIC/` of such files.
    #[arg(long, value_name = "DIR")]
    pub feeds: PathBuf,
    /// The pool's policy.
    #[arg(long, value_name = "FILE")]
    pub policy: PathBuf,
    /// The business date up to which the facts are complete, YYYY-MM-DD.
    #[arg(long, value_name = "DATE", value_parser = date)]
    pub as_of: BusinessDate,
    /// Folder for `alerts.jsonl`, `dead-letter.jsonl` and `summary.json`; made if it is not there.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Worker threads; the result is the same for any number. Default: one for each processor.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub workers: Option<u16>,
}

fn date(text: &str) -> Result<BusinessDate, String> {
    BusinessDate::parse(text.as_bytes()).ok_or_else(|| {
        "a calendar date YYYY-MM-DD of the years 1900 to 2199 is needed, e.g. 2024-12-31".to_owned()
    })
}

fn period(text: &str) -> Result<Period, String> {
    Period::parse(text.as_bytes()).ok_or_else(|| {
        "a month YYYY-MM of the years 1900 to 2199 is needed, e.g. 2024-01".to_owned()
    })
}

fn detector(name: &str) -> Result<Detector, String> {
    let all = Detector::ALL.map(Detector::as_str);
    Detector::parse(name).ok_or_else(|| {
        let hint = match rules::nearest(name, &all) {
            Some(meant) => format!(" did you mean `{meant}`?"),
            None => String::new(),
        };
        format!(
            "there is no such detector;{hint} there are: {}",
            all.join(", ")
        )
    })
}

fn scenario(name: &str) -> Result<simulate::Scenario, String> {
    simulate::Scenario::parse(name).ok_or_else(|| {
        let known: Vec<_> = simulate::Scenario::ALL
            .iter()
            .map(|scenario| scenario.as_str())
            .collect();
        format!("there is no such scenario; there are: {}", known.join(", "))
    })
}

//! *Pipeline*: the program itself, for operators: what comes in, how fast it goes through, what waits, what is short.

use catalogue::{
    ALERTMANAGER_PUSHES, AS_OF, BUILD_INFO, CALENDAR_END, COMMIT_FAILURES, COMMIT_SECONDS,
    CONFIG_LAST_RELOAD_SUCCESSFUL, DEAD_LETTERS, EPOCH, FEED_LAG, FEED_LAST_RECORD, FEED_RECORDS,
    GOAL_SECONDS, HTTP_REQUEST_SECONDS, HTTP_REQUESTS, NOTICES_WAITING, OUTBOX_OLDEST,
    OUTBOX_PENDING, PROCESS_CPU, PROCESS_FILES, PROCESS_FILES_MAX, PROCESS_MEMORY, PROCESS_START,
    PROCESS_THREADS, PUBLISH_FAILURES, PUBLISHED, READY, RECORD_SECONDS, STATE_DAMAGED,
    STATE_LOADED, STATE_SYNC_SECONDS, STORE_BYTES, STORE_FREE_BYTES, WEBHOOK_POSTS,
};

use super::fund_health::business_date;
use super::grafana::{Board, Column, DATE, Panel, Row, key, named, word};
use super::words;

/// Alerts on the program that fire.
const FIRING: &str = r#"ALERTS{team="platform",alertstate="firing"}"#;

/// The board.
pub fn board() -> Board {
    Board {
        uid: "fundwatch-pipeline",
        title: "运行 / Pipeline",
        description: "系统自身的运行情况：接入、时延、积压、发件、资源。The program itself: what comes in, how long it takes, what waits, what runs short.",
        variables: Vec::new(),
        rows: vec![
            Row {
                title: "状态 / State",
                panels: state(),
            },
            Row {
                title: "接入 / What comes in",
                panels: intake(),
            },
            Row {
                title: "时延 / How long it takes",
                panels: latency(),
            },
            Row {
                title: "发出 / What goes out",
                panels: outlets(),
            },
            Row {
                title: "网页 / Pages",
                panels: pages(),
            },
            Row {
                title: "资源 / Resources",
                panels: resources(),
            },
        ],
    }
}

fn state() -> Vec<Panel> {
    vec![
        Panel::stat(
            "就绪 / Ready",
            "1 表示没有任何部件报告异常；否则见 /readyz。Whether nothing keeps the program from its work; else /readyz says what.",
            (4, 4),
        )
        .now(format!("min({READY})"), "")
        .words(words::yes_no("就绪 ready", "未就绪 not ready")),
        business_date((4, 4)),
        Panel::stat(
            "数据截至 / Data as of",
            "全部区县、全部数据源中最早的日结日期。The earliest day close of all regions and feeds.",
            (4, 4),
        )
        .now(format!("1000 * min({AS_OF})"), "")
        .unit(DATE, 0),
        Panel::stat(
            "节假日表至 / Calendar to",
            "政策中节假日表覆盖到的年末；不足 31 天时告警。The end of the last year whose holidays the policy has.",
            (4, 4),
        )
        .now(format!("1000 * max({CALENDAR_END})"), "")
        .unit(DATE, 0),
        Panel::stat(
            "已提交批次 / Epochs",
            "最近提交的批次号。The epoch that was committed last.",
            (4, 4),
        )
        .now(format!("max({EPOCH})"), ""),
        Panel::stat(
            "运行时长 / Running for",
            "本次启动至今。Time since the start of the process.",
            (4, 4),
        )
        .now(format!("time() - max({PROCESS_START}{{job=\"fundwatch\"}})"), "")
        .unit("s", 0),
        Panel::stat(
            "配置 / Configuration",
            "最近一次读取的配置是否有效；无效时沿用之前的配置。Whether the configuration was good when it was last read; if not, the one before is in force.",
            (4, 4),
        )
        .now(format!("min({CONFIG_LAST_RELOAD_SUCCESSFUL})"), "")
        .words(words::yes_no("有效 good", "被拒 refused")),
        Panel::stat(
            "磁盘状态 / State on disk",
            "启动时磁盘上的状态是否完整；受损部分从主题重读。Whether the state on disk was whole when the program started; what was not is read from the topics again.",
            (4, 4),
        )
        .now(format!("max({STATE_DAMAGED})"), "")
        .words(vec![
            word("0", "完整 whole", Some("#37872D")),
            word("1", "受损 damaged", Some("#C4162A")),
        ]),
        Panel::stat(
            "载入（条）/ Loaded",
            "启动时从磁盘载入的事实数，其余从主题读取。Facts loaded from disk at the start; the rest is read from the topics.",
            (4, 4),
        )
        .now(format!("max({STATE_LOADED})"), ""),
        Panel::table(
            "运行告警 / Platform alerts",
            "正在触发的平台告警；Watchdog 应始终在列，缺席即告警链路中断。Alerts on the program that fire now. The watchdog always does: where it is missing, no alert would come through.",
            (12, 4),
            &[("alertname", "告警 alert"), ("severity", "级别 severity")],
            vec![Column::count("数量 count", format!("count by (alertname, severity) ({FIRING})"))],
        ),
    ]
}

fn intake() -> Vec<Panel> {
    vec![
        Panel::chart(
            "接入速率（条/秒）/ Records a second",
            "各数据源读入并提交的记录数。Records read and committed, by feed.",
            (12, 8),
        )
        .over_time(format!("sum by (topic) (rate({FEED_RECORDS}[$__rate_interval]))"), "{{topic}}")
        .axis("条/秒")
        .unit("locale", 1)
        .fields(words::topic_fields()),
        Panel::table(
            "记录去向（条）/ What became of records",
            "自数据源开始以来：接受、重复、拒绝。读入 = 三者之和。Since the start of the feeds; read is the sum of the three.",
            (12, 8),
            &[("topic", "数据 feed")],
            vec![
                Column::count("接受 accepted", format!("sum by (topic) ({FEED_RECORDS}{{result=\"accepted\"}})")),
                Column::count("重复 redelivered", format!("sum by (topic) ({FEED_RECORDS}{{result=\"redelivered\"}})")),
                Column::count("拒绝 rejected", format!("sum by (topic) ({FEED_RECORDS}{{result=\"rejected\"}})")),
                Column::time("最近记录 last record", &format!("max by (topic) ({FEED_LAST_RECORD})")),
            ],
        )
        .fields([topic_key()]),
        Panel::chart(
            "积压（条）/ Lag",
            "已在消息系统、尚未提交的记录数。Records that the broker has and that are not committed yet.",
            (8, 8),
        )
        .over_time(format!("sum by (topic) ({FEED_LAG})"), "{{topic}}")
        .axis("条")
        .fields(words::topic_fields()),
        Panel::chart(
            "数据落后（天）/ Days behind",
            "各数据源最慢的区县落后业务日期的天数。How far the slowest region of each feed is behind the business date.",
            (8, 8),
        )
        .over_time("max by (topic) (topic_region:fundwatch_feed_delay:days)", "{{topic}}")
        .axis("天")
        .unit("suffix: 天", 0)
        .fields(words::topic_fields()),
        Panel::table(
            "拒绝原因（条）/ Why records were refused",
            "进入死信的记录，按数据源与原因；原文保存在死信主题。Records in the dead letter by feed and reason.",
            (8, 8),
            &[("topic", "数据 feed"), ("reason", "原因 reason")],
            vec![Column::count("条数 records", format!("sum by (topic, reason) ({DEAD_LETTERS})"))],
        )
        .fields([topic_key()]),
    ]
}

fn topic_key() -> serde_json::Value {
    key("数据 feed", words::topic_words(), None)
}

fn latency() -> Vec<Panel> {
    vec![
        Panel::chart(
            "从读到提交（秒）/ From record to commit",
            "一批的首条记录从读入到提交的时间，中位数与 99 分位；虚线为目标 0.25 秒。From reading an epoch's first record to the end of its commit; the dashed line is the goal.",
            (12, 8),
        )
        .over_time(quantile("0.5", &RECORD_SECONDS), "p50")
        .over_time(quantile("0.99", &RECORD_SECONDS), "p99")
        .unit("s", 3)
        .axis("秒")
        .with_goal_line(GOAL_SECONDS)
        .fields(quantile_fields()),
        Panel::chart(
            "提交耗时（秒）/ Commit",
            "一次提交写入存储的时间。Time to commit an epoch to the store.",
            (12, 8),
        )
        .over_time(quantile("0.5", &COMMIT_SECONDS), "p50")
        .over_time(quantile("0.99", &COMMIT_SECONDS), "p99")
        .unit("s", 3)
        .axis("秒")
        .fields(quantile_fields()),
        Panel::chart(
            "落盘耗时（秒）/ State made durable",
            "提交之前把读入的事实写牢到磁盘的时间。Time to make what was read durable on disk, before it is committed.",
            (12, 8),
        )
        .over_time(quantile("0.5", &STATE_SYNC_SECONDS), "p50")
        .over_time(quantile("0.99", &STATE_SYNC_SECONDS), "p99")
        .unit("s", 3)
        .axis("秒")
        .fields(quantile_fields()),
        Panel::stat(
            "提交失败（次）/ Failures",
            "失败后重试的提交，如磁盘已满。Commits that failed and were tried again, e.g. on a full disk.",
            (12, 8),
        )
        .now(format!("sum({COMMIT_FAILURES})"), "")
        .thresholds(&[("text", None), ("#C4162A", Some(1.0))]),
    ]
}

fn outlets() -> Vec<Panel> {
    vec![
        Panel::chart(
            "待发（件）/ What waits",
            "各出口尚未发出的条目。Rows that wait to leave the store.",
            (10, 8),
        )
        .over_time(format!("sum by (channel) ({OUTBOX_PENDING})"), "{{channel}}")
        .axis("件")
        .fields(words::channel_fields()),
        Panel::table(
            "出口 / Outlets",
            "各出口的待发条目、最久等待（秒）、已获确认的条目。What waits, for how long, and what the brokers acknowledged.",
            (10, 8),
            &[("channel", "出口 channel")],
            vec![
                Column::count("待发 pending", format!("sum by (channel) ({OUTBOX_PENDING})")),
                Column::count("最久（秒）oldest", format!("max by (channel) ({OUTBOX_OLDEST})")),
                Column::count("已确认 published", format!("sum by (channel) ({PUBLISHED})")),
            ],
        )
        .fields([key("出口 channel", words::channel_words(), None)]),
        Panel::stat(
            "发布失败（批）/ Failures",
            "消息系统未全部确认的批次。Batches of which the brokers did not acknowledge everything.",
            (4, 8),
        )
        .now(format!("sum({PUBLISH_FAILURES})"), "")
        .thresholds(&[("text", None), ("#C4162A", Some(1.0))]),
        Panel::stat(
            "待告知（条）/ Notices",
            "等待各自发送时间（成组、简报）的告知；超时未发的见上方“待发”。What somebody is to be told of by mail when its time has come; what is overdue shows above as a mail that waits.",
            (6, 5),
        )
        .now(format!("sum({NOTICES_WAITING})"), ""),
        Panel::stat(
            "回调（次）/ Webhooks",
            "本次启动以来向外部程序告知的次数，按结果；未配置时为零。Attempts to tell a webhook since the start of the process, by result; none where none is configured.",
            (9, 5),
        )
        .now(format!("sum by (result) ({WEBHOOK_POSTS})"), "{{result}}")
        .with_names()
        .fields(words::post_fields()),
        Panel::stat(
            "Alertmanager（次）/ Pushes",
            "本次启动以来推送未结预警的次数，按结果；未配置时为零。Attempts to tell an Alertmanager what is open since the start of the process, by result; none where none is configured.",
            (9, 5),
        )
        .now(format!("sum by (result) ({ALERTMANAGER_PUSHES})"), "{{result}}")
        .with_names()
        .fields(words::post_fields()),
    ]
}

fn pages() -> Vec<Panel> {
    vec![
        Panel::chart(
            "请求（次/秒）/ Requests a second",
            "系统自身网页每秒的请求数，按页面。Requests for the program's own pages, by page.",
            (8, 8),
        )
        .over_time(
            format!("sum by (route) (rate({HTTP_REQUESTS}[$__rate_interval]))"),
            "{{route}}",
        )
        .unit("locale", 2)
        .axis("次/秒"),
        Panel::chart(
            "应答耗时（秒）/ Time to answer",
            "应答一次请求的时间，中位数与 99 分位。Time to answer a request.",
            (8, 8),
        )
        .over_time(quantile("0.5", &HTTP_REQUEST_SECONDS), "p50")
        .over_time(quantile("0.99", &HTTP_REQUEST_SECONDS), "p99")
        .unit("s", 3)
        .axis("秒")
        .fields(quantile_fields()),
        Panel::table(
            "应答（次）/ Answers",
            "本次启动以来的应答数，按页面与状态码；5xx 为系统自身的错误，/healthz 与 /readyz 的 503 为未就绪。Answers since the start of the process by page and status code.",
            (8, 8),
            &[("route", "页面 page"), ("code", "状态码 code")],
            vec![Column::count(
                "次数 answers",
                format!("sum by (route, code) ({HTTP_REQUESTS})"),
            )],
        ),
    ]
}

/// A quantile of a histogram over time.
fn quantile(quantile: &str, metric: &catalogue::Metric) -> String {
    format!("histogram_quantile({quantile}, sum by (le) (rate({metric}_bucket[$__rate_interval])))")
}

fn quantile_fields() -> [serde_json::Value; 2] {
    [
        named("p50", "中位数 median", Some("#1F60C4")),
        named("p99", "99 分位 p99", Some("#D9650A")),
    ]
}

fn resources() -> Vec<Panel> {
    let ours = "{job=\"fundwatch\"}";
    vec![
        Panel::chart(
            "处理器（核）/ CPU",
            "占用的处理器核数。Cores used.",
            (6, 7),
        )
        .over_time(format!("sum(rate({PROCESS_CPU}{ours}[$__rate_interval]))"), "处理器 cpu")
        .unit("locale", 2)
        .axis("核"),
        Panel::chart(
            "内存 / Memory",
            "常驻内存。Resident memory.",
            (6, 7),
        )
        .over_time(format!("sum({PROCESS_MEMORY}{ours})"), "常驻 resident")
        .unit("bytes", 1)
        .axis("字节"),
        Panel::chart(
            "存储 / Store",
            "存储文件的大小，与所在磁盘的余量。Size of the store's files, and room left on its disk.",
            (6, 7),
        )
        .over_time(format!("max({STORE_BYTES})"), "存储 store")
        .over_time(format!("min({STORE_FREE_BYTES})"), "余量 free")
        .unit("bytes", 1)
        .axis("字节"),
        Panel::stat(
            "句柄与线程（个）/ Files and threads",
            "打开的文件、上限、线程数。Open files, how many there may be, and threads.",
            (6, 7),
        )
        .now(format!("max({PROCESS_FILES}{ours})"), "文件 files")
        .now(format!("max({PROCESS_FILES_MAX}{ours})"), "上限 limit")
        .now(format!("max({PROCESS_THREADS}{ours})"), "线程 threads")
        .with_names(),
        Panel::table(
            "版本 / Version",
            "运行的程序版本与提交。Which program this is.",
            (24, 4),
            &[
                ("version", "版本 version"),
                ("revision", "提交 revision"),
                ("instance", "实例 instance"),
            ],
            vec![Column::count(
                "运行 runs",
                format!("max by (version, revision, instance) ({BUILD_INFO})"),
            )],
        ),
    ]
}

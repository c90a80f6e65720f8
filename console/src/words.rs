//! Every word of the pages, in Chinese and in English: one table, so that neither language lacks one.
//!
//! What is said of an alert itself (its sentence, its rule, its figures) are the words of the mails.

use alerting::Language;
use alerting::life::Standing;
use domain::Severity;

use crate::casebook::audit::Kind;
use crate::casebook::cases::{CaseState, Stage};
use crate::casebook::letters::LetterKind;
use crate::casebook::queue::{Sort, Tab};
use crate::casebook::{CasebookError, Refusal};
use crate::rights::{Role, Scope};

macro_rules! words {
    ($($key:ident: $zh:literal, $en:literal;)*) => {
        /// The words of one language.
        #[derive(Debug)]
        #[expect(missing_docs, reason = "the English is beside each")]
        pub struct Words {
            $(pub $key: &'static str,)*
        }

        static ZH: Words = Words { $($key: $zh,)* };
        static EN: Words = Words { $($key: $en,)* };

        #[cfg(test)]
        const ALL: &[(&str, &str, &str)] = &[$((stringify!($key), $zh, $en),)*];
    };
}

words! {
    lang: "zh-CN", "en";
    console: "基金监督核查台", "Fund review console";
    skip: "跳到正文", "Skip to content";
    menu: "主菜单", "Main menu";
    alerts: "预警", "Alerts";
    precision: "规则准确率", "Precision";
    people: "人员", "People";
    audit: "审计日志", "Audit trail";
    account: "我的账户", "My account";
    help: "帮助", "Help";
    log_in: "登录", "Log in";
    log_out: "退出", "Log out";
    language_other: "English", "中文";
    zone: "时间按", "Times are of";
    footer_notice: "预警是线索，不是结论。个人信息仅限工作需要查看，查看均有记录。", "An alert is a lead, not a finding. Personal data are for the work alone; each look at them is recorded.";

    login_name: "账号", "Login";
    password: "密码", "Password";
    password_again: "再次输入密码", "Password again";
    code: "动态验证码（6 位）", "Code of the second factor (6 digits)";
    login_failed: "账号、密码或验证码不正确。", "Login, password or code is wrong.";
    login_wait: "尝试次数过多，请稍后再试。", "Too many attempts. Try again later.";
    login_notice: "本系统记录登录、查看个人信息、导出和办理的每一次操作。", "This system records each login, each look at personal data, each export and each act.";
    login_first: "首次登录或忘记密码？凭一次性口令设置密码", "First login, or password forgotten? Enrol with a one-time token";
    enrol: "设置密码", "Enrol";
    enrol_token: "一次性口令", "One-time token";
    enrol_help: "口令由管理员发放（第一位管理员由命令 fundwatch console token 产生），24 小时内使用一次。", "The token comes from an administrator (the first administrator's from the command fundwatch console token), and is good once within 24 hours.";
    enrol_next: "下一步", "Next";
    enrol_scan: "用身份验证器扫描，或手工输入密钥：", "Scan with an authenticator, or type the secret:";
    enrol_rule: "密码至少 12 个字符，可用空格和汉字；不得含账号和姓名，不得是常见密码或容易猜中。", "At least 12 characters, spaces and any script allowed; neither your login nor your name, nor what is common or soon guessed.";
    enrolled: "已设置，请登录。", "Done. Log in now.";
    qr_alt: "身份验证器用的二维码", "QR code for the authenticator";

    by_provider: "统一身份认证登录", "Log in by the identity provider";
    provider_leave: "正在转到统一身份认证平台。如未自动转到，请点击：", "On the way to the identity provider. If nothing happens:";
    provider_go: "前往统一身份认证平台", "Go to the identity provider";
    provider_code: "统一身份认证平台已确认您的身份。请输入动态验证码。", "The identity provider has said who you are. Now the code of your second factor.";
    enrol_bound: "启用账号", "Enrol";
    provider_enrol: "此账号通过统一身份认证登录，不设密码。下一步请以上面的账号在认证平台登录一次，即与本账号绑定。", "This account logs in by the identity provider, and has no password. Log in there once, under the login above: that binds it to this account.";
    provider_none: "此账号通过统一身份认证登录，但本系统没有配置认证平台。请联系管理员。", "This account logs in by an identity provider, and none is configured. Ask the administrator.";
    provider_away: "统一身份认证平台没有应答，暂时不能用它登录。请稍后再试；有密码的账号仍可登录。持续如此请联系管理员。", "The identity provider does not answer: nobody logs in by it for now. Try again later; accounts with a password work on. If it stays so, tell the administrator.";
    provider_over: "登录未完成：已超过 10 分钟、已用过，或不是从本浏览器开始的。请重新登录。", "The login was not finished: it took longer than 10 minutes, was used before, or did not begin in this browser. Begin again.";
    provider_refused: "统一身份认证未通过，未能登录。请重试；持续如此请联系管理员。", "What the identity provider said does not hold, or it refused. Try again; if it stays so, tell the administrator.";
    provider_factor: "统一身份认证平台没有核验第二因素，不能登录。请在该平台启用第二因素后重试。", "The identity provider asked for no second factor, and one is needed. Set one up there, and try again.";
    provider_account: "您通过统一身份认证登录：密码在认证平台更改；本账号不能发放接口令牌。", "You log in by the identity provider: passwords are changed there, and this account makes no API tokens.";
    provider_unknown: "统一身份认证平台已确认您的身份，但没有与之绑定的可用账号。首次登录请先凭一次性口令启用；如有疑问请联系管理员。", "The identity provider has said who you are, but no open account is bound to that. Before the first login enrol with a one-time token; else ask the administrator.";

    queue: "预警办理", "Alert queue";
    tabs: "分类", "Tabs";
    filter: "筛选", "Filter";
    apply: "应用", "Apply";
    clear: "清除", "Clear";
    search: "查找", "Search";
    search_hint: "信用代码、证件号码全号或预警编号", "Credit code, full ID number, or alert id";
    any: "全部", "any";
    state: "办理状态", "State";
    standing: "预警现状", "Standing";
    severity: "等级", "Severity";
    detector: "疑点类型", "Detector";
    region: "区县", "Region";
    sort: "排序", "Order";
    subject: "对象", "Subject";
    period: "所属期", "Period";
    amount: "金额（元）", "Yuan";
    age: "已历（工作日）", "Business days";
    due: "期限", "Due";
    overdue: "逾期", "overdue";
    assignee: "承办人", "Assignee";
    nobody: "未分配", "nobody";
    news: "最近动态", "Latest";
    fresh: "有新证据", "new evidence";
    since_yesterday: "昨日以来", "since yesterday";
    total: "合计", "Total";
    cases_unit: "件", "cases";
    page: "第", "Page";
    page_of: "页，共", "of";
    pages_unit: "页", "";
    previous: "上一页", "Previous";
    next: "下一页", "Next";
    nothing: "没有符合条件的预警。", "No alert matches.";
    select: "选择", "Select";
    select_row: "选择此件", "Select this case";
    bulk: "批量办理所选", "With those selected";
    bulk_assign: "分配给", "Assign to";
    bulk_decide: "批量办结（须经他人复核）", "Close together (needs an approver)";
    bulk_done: "批量办理结果", "Result of the bulk action";
    bulk_ok: "已办理", "done";
    bulk_failed: "未办理", "not done";
    back_to_queue: "返回队列", "Back to the queue";
    export: "导出", "Export";
    export_reason: "导出事由（记入审计日志）", "Reason (goes into the audit trail)";
    export_csv: "导出 CSV", "Export CSV";
    export_xlsx: "导出 Excel", "Export Excel";
    export_limit: "至多导出行数：", "Rows at most:";
    views: "常用视图", "Saved views";
    view_save: "保存当前筛选", "Save this filter";
    view_name: "名称", "Name";
    view_forget: "删除", "Forget";

    alert: "预警", "Alert";
    alert_id: "预警编号", "Alert";
    what: "基本情况", "What is the case";
    rule: "依据与计算", "Rule and arithmetic";
    policy_entry: "适用政策条目", "Policy entry";
    arithmetic: "计算", "Arithmetic";
    details: "明细", "Details";
    evidence: "证据", "Evidence";
    evidence_topic: "来源", "Feed";
    evidence_id: "记录编号", "Record";
    evidence_none: "没有单条记录可列：它说的是没有发生的事。", "No single record: it speaks of what did not happen.";
    history: "预警经过", "History of the alert";
    when: "时间", "When";
    event: "动态", "Event";
    cause: "引起变化的记录", "Record that did it";
    told_to: "已告知", "Told";
    related: "同一对象的其他预警", "Other alerts on the same subject";
    related_none: "没有。", "None.";
    to_do: "建议处理", "What to do";
    respond_by: "处理期限", "Respond by";
    changes: "变化", "What changed";
    was: "原为", "was";
    is: "现为", "is";
    the_case: "办理", "Case";
    log: "办理经过", "What was done";
    decisions: "处理意见", "Decisions";
    decisions_none: "尚无。", "None yet.";
    letters: "文书", "Letters";
    letters_none: "尚未发出文书。", "No letter was issued.";
    news_banner: "作出处理意见之后，预警有了新的证据，请重新研判。", "There is evidence that is newer than the decision. Look at it again.";
    withdrawn_banner: "本预警已撤回：后来的记录表明它本不应发出。请中止并恢复据此采取的措施。", "This alert was withdrawn: later records show that it was never due. Stop and undo what was done on it.";

    steps_title: "逐步计算", "Step by step";
    step_what: "项目", "What";
    step_how: "算法与数值", "How, with the numbers";
    step_result: "结果", "Result";
    entry_is_another: "预警生成之后政策文件有改动：现在对该所属期适用另一条目。", "The policy file was changed after the alert was made: it now has another entry for the period.";
    does_not_come_out: "以上各步的结果与预警金额不符：预警生成之后政策文件有改动。", "The steps do not come out at the alert's amount: the policy file was changed after it was made.";
    recheck_same: "按现有记录重新计算，结果一致。", "The facts, judged again, come to the same.";
    recheck_different: "按现有记录重新计算，结果不同，预警随后会更新。", "The facts, judged again, come to something else: the alert will follow.";
    recheck_gone: "按现有记录重新计算，条件不成立，预警随后会更新。", "The facts, judged again: it holds no more, the alert will follow.";
    record_kind: "种类", "Kind";
    record_date: "业务日期", "Date";
    record_says: "内容", "What it says";
    record_place: "所在位置（主题:分区:偏移）", "Place (topic:partition:offset)";
    record_raw: "查看原始记录", "Show the raw record";
    record_raw_help: "记录中有完整的个人信息。查看须有事由，并记入审计日志。", "The record has personal data in full. A reason is needed and goes into the audit trail.";
    record_which: "记录", "Record";
    record_gone: "来源已不再保存该记录。", "Its feed does not have the record any more.";
    facts_unanswered: "未能查到记录：", "The records could not be looked up: ";
    facts_none: "本控制台未连接记录来源。", "This console has nobody to ask for records.";

    subject_page: "对象全貌", "All that is known";
    enterprise: "单位", "Enterprise";
    person: "个人", "Person";
    subject_name: "名称", "Name";
    former_names: "曾用名", "Former names";
    subject_status: "状态", "Status";
    since: "自", "since";
    complete_to: "数据完整至", "Complete to";
    present_day: "业务日期", "Present";
    complete_note: "欠费、滞纳金、未申报和漏发算至数据完整日，其余算至业务日期。", "Arrears, surcharges, undeclared months and missed payouts are of the date to which the feeds are complete, all else of the present.";
    not_complete: "尚无日结，欠费等缺失类事项不予认定", "no feed was closed yet: nothing is said of what did not happen";
    arrears_total: "欠缴合计", "Arrears";
    surcharge_total: "滞纳金合计", "Surcharge";
    gap_total: "基数少报少缴", "Missing by bases";
    undeclared_total: "未申报推定", "Presumed of undeclared";
    months: "按所属期", "By period";
    chart_bases: "申报基数与个税工资", "Declared base and taxed wages";
    chart_paid: "各月发放净额", "Paid by month, net";
    base: "申报基数", "Declared base";
    headcount: "人数", "People";
    wages: "个税工资", "Taxed wages";
    expected_base: "应申报基数", "Expected base";
    owed: "应缴", "Owed";
    paid: "已缴", "Paid";
    shortfall: "欠缴", "Short";
    surcharge: "滞纳金", "Surcharge";
    presumed: "未申报推定", "Presumed";
    base_gap: "少报少缴", "Missing by base";
    paid_out: "发放净额", "Paid, net";
    items: "项目（笔数、净额）", "Items (payouts, net)";
    payout_date: "发放日", "Payout day";
    after_death: "登记死亡月份之后", "After the month of a reported death";
    after_record: "登记月份之后", "After the month of the record";
    duplicate: "重复", "Twice";
    missed: "漏发", "Missed";
    monthly: "月待遇", "A month";
    death_reports: "死亡登记", "Death records";
    death_none: "没有。", "None.";
    death_date: "登记所载日期", "Day that it names";
    death_source: "登记来源", "Reported by";
    death_registered: "登记日期", "Registered";
    death_cancelled: "撤销", "Cancelled";
    death_match: "印证等级", "Grade of the match";
    unlisted: "政策未列", "not listed";
    findings: "历次预警", "Past findings";
    repeated: "屡次出现", "Repeatedly";
    times: "次", "times";
    timeline: "经过：记录与预警", "Timeline of facts and alerts";
    timeline_more: "更早的未列出，条数：", "Earlier ones that are not shown:";
    timeline_later: "业务日期之后，尚不计入", "dated after the present: does not count yet";
    opened: "预警出现", "alert opened";
    cleared_event: "预警解除", "alert cleared";
    reveal_person: "查看完整号码和姓名", "Show number and name in full";

    take: "由我承办", "Take it";
    release: "退回待分配", "Release";
    assign: "分配", "Assign";
    assign_to: "承办人", "Assign to";
    note: "备注", "Note";
    note_add: "记录", "Write down";
    snooze: "暂缓", "Snooze";
    snooze_until: "暂缓至", "Until";
    snooze_latest: "至迟恢复：", "It comes back at the latest on";
    snooze_worse: "加重时恢复", "or until it gets worse";
    snooze_reason: "暂缓理由", "Reason";
    resume: "恢复办理", "Resume";
    decide: "提出处理意见", "Decide";
    reason: "结论与理由", "Outcome and reason";
    decide_note: "说明（必填）", "Note (needed)";
    decide_button: "提交", "Submit";
    four_eyes_note: "红色预警、达到复核金额或整改中的案件：提交后须由他人复核。", "Red, over the threshold, or being mended: somebody else has to approve it.";
    no_four_eyes_note: "未达到复核金额，也非红色预警：提交即生效。", "Below the threshold and not red: it is in force at once.";
    answer: "复核", "Approve or return";
    approve: "同意", "Approve";
    send_back: "退回", "Return";
    answer_note: "复核意见（退回时必填）", "Note (needed to return)";
    own_proposal: "这是您本人提出的意见，须由他人复核。", "You proposed this: somebody else has to approve it.";
    waits_for_approval: "等待复核。", "Waits for approval.";
    reopen: "重新办理", "Reopen";
    reopen_note: "重新办理的理由", "Reason";
    stage: "整改闭环", "Rectification";
    own_mending: "整改完成由您报告，须由他人核实后办结。", "You reported it mended: somebody else has to check and close it.";
    stage_next: "进入下一步", "Next step";
    stage_note: "说明（必填）", "Note (needed)";
    letter_issue: "发出文书", "Issue a letter";
    letter_kind: "文书种类", "Kind";
    letter_to: "主送", "To";
    letter_number: "文号", "Number";
    letter_hash: "校验值", "Hash";
    letter_intact: "内容与发出时一致", "as it was issued";
    letter_broken: "内容与发出时不一致", "not as it was issued";
    letter_print: "打印或另存为 PDF", "Print, or save as PDF";
    reveal: "查看完整号码", "Show the number in full";
    reveal_reason: "查看事由（记入审计日志）", "Reason (goes into the audit trail)";
    revealed: "完整号码", "Number in full";
    revealed_help: "仅本页显示一次，请勿抄录外传。", "Shown on this page only. Do not copy it elsewhere.";
    by: "由", "by";
    approver: "复核人", "Approver";
    proposer: "提出人", "Proposer";
    bulk_mark: "批量", "in bulk";

    stale: "已被他人更新", "Somebody was faster";
    stale_help: "您打开页面之后，此件已有以下变化。您的提交没有生效，请查看后再办。", "Since you opened the page, this happened. What you sent was not done; look at it, and do it again.";
    see_now: "查看最新情况", "See how it is now";
    not_found: "没有此页", "No such page";
    not_found_help: "地址有误，或不在您的权限范围之内。", "The address is wrong, or beyond what you may see.";
    denied: "没有权限", "Not allowed";
    denied_help: "您的角色不能进行此操作。本次尝试已记录。", "Your role may not do this. The attempt was recorded.";
    expired: "表单已失效", "The form has expired";
    expired_help: "请返回并重新打开页面后再试。", "Go back, open the page again, and retry.";
    broken: "出错了", "Something failed";
    broken_help: "操作没有完成，已记入系统日志，请稍后再试或联系管理员。", "It was not done. It is in the system's log; try again later, or tell the administrator.";
    refused: "未能办理", "Not done";
    too_many: "次数过多", "Too many";
    too_many_help: "已达到本小时的上限，本次尝试已记录。", "The limit of the hour is reached. The attempt was recorded.";
    busy: "系统繁忙", "Busy";
    busy_help: "请几秒后再试。", "Try again in a few seconds.";
    go_back: "返回", "Back";

    people_title: "人员与权限", "People and rights";
    person_name: "姓名", "Name";
    role: "角色", "Role";
    regions: "区县范围", "Regions";
    regions_all: "全部区县", "all regions";
    regions_help: "不选即为全部区县。", "None chosen: all regions.";
    factor: "第二因素", "Second factor";
    sessions: "在线", "Sessions";
    enrolled_state: "已启用", "enrolled";
    not_enrolled: "待设置密码", "not enrolled";
    disabled: "已停用", "disabled";
    person_add: "新增人员", "Add a person";
    person_change: "更改", "Change";
    way: "登录方式", "Logs in by";
    way_password: "密码", "password";
    way_provider: "统一身份认证", "the identity provider";
    way_help: "更改登录方式后，原密码、第二因素和绑定作废并强制下线，须凭新口令重新启用。", "Another way takes password, second factor and binding away, and ends sessions: enrol anew with a new token.";
    person_disable: "停用", "Disable";
    token_make: "发放口令", "New token";
    sessions_end: "强制下线", "End sessions";
    token_title: "一次性口令", "One-time token";
    token_help: "只显示这一次。请当面或用另一渠道交给本人，24 小时内在“设置密码”页使用。", "Shown this once. Hand it over in person or by another channel; it is good on the page “Enrol” within 24 hours.";
    yes: "有", "yes";
    no: "无", "no";

    account_events: "账户近况（90 天）", "What happened to this account (90 days)";
    account_events_help: "如有您不知情的口令、密码设置或登录，请立即告知审计人员。", "If there is a token, an enrolment or a login that you know nothing of, tell the auditor at once.";

    audit_kind: "事项", "What";
    audit_who: "人员", "Who";
    audit_from: "来源地址", "From";
    audit_target: "对象", "Target";
    audit_note: "说明", "Note";
    audit_ok: "结果", "Result";
    audit_done: "成功", "done";
    audit_refused: "拒绝", "refused";
    audit_older: "更早", "Older";
    audit_verify: "校验哈希链", "Verify the chain";
    audit_whole: "哈希链完整，共", "The chain is whole; rows:";
    audit_head: "末行哈希（请另行抄存）", "Last hash (write it down elsewhere)";
    audit_broken: "哈希链在此行断开：", "The chain is broken at row";

    precision_title: "规则准确率", "Precision of the detectors";
    precision_help: "按已生效的处理意见计算：属实、行政滞后、移送计为命中，误报、数据错误计为未命中，其余不计。", "By the decisions in force: substantiated, administrative lag and referred count as hits, false alarm and data error as misses, the others not at all.";
    hits: "命中", "Hits";
    misses: "未命中", "Misses";
    neither: "不计", "Not counted";
    rate: "准确率", "Precision";
    rate_none: "尚无", "none yet";

    account_password: "更改密码", "Change password";
    password_old: "现密码", "Present password";
    password_changed: "密码已更改。", "The password was changed.";
    tokens: "接口令牌", "API tokens";
    tokens_help: "供程序代您使用接口 /api/v1。令牌不超出您本人的权限，只显示一次；停用账号、强制下线或重新设置密码时一并失效。", "For programs that use /api/v1 on your behalf. A token may do no more than you may, and is shown once. It ends when your account is closed, your sessions are ended, or you enrol anew.";
    tokens_none: "没有令牌。", "No tokens.";
    token_name: "用途", "Used for";
    token_scope: "权限", "May";
    token_days: "有效天数（至多 365 天）", "Days that it is good for (365 at most)";
    token_since: "发放", "Made";
    token_until: "到期", "Ends";
    token_used: "最近使用", "Last used";
    token_good: "有效", "good";
    token_expired: "已到期", "expired";
    token_revoked: "已吊销", "revoked";
    token_revoke: "吊销", "Revoke";
    token_new: "发放令牌", "Make a token";
    token_shown: "接口令牌", "API token";
    token_shown_help: "只显示这一次。请存入程序的机密配置，勿写入代码、邮件或网址。", "Shown this once. Keep it where the program keeps its secrets, never in code, mails or addresses.";
    keys: "快捷键", "Keyboard shortcuts";
    keys_on: "已启用", "on";
    keys_off: "已停用", "off";
    keys_turn_on: "启用快捷键", "Turn shortcuts on";
    keys_turn_off: "停用快捷键", "Turn shortcuts off";
    key_move: "下一件、上一件", "next, previous row";
    key_open: "打开", "open";
    key_decide: "提出处理意见", "decide";
    key_assign: "分配", "assign";
    key_snooze: "暂缓", "snooze";
    key_search: "查找", "search";
    key_help: "本页", "this page";
    key: "按键", "Key";
    does: "作用", "Does";
    states_help: "办理状态", "States of a case";
    state_pending_help: "无人承办", "nobody works on it";
    state_working_help: "有人承办，或在整改中", "somebody works on it, or the fault is being mended";
    state_review_help: "处理意见等待他人复核", "a decision waits for somebody else's approval";
    state_closed_help: "处理意见已生效", "a decision is in force";
    state_snoozed_help: "暂缓至某日，或至加重时", "until a day, or until it gets worse";
}

/// The words of a language.
pub const fn words(language: Language) -> &'static Words {
    match language {
        Language::Zh => &ZH,
        Language::En => &EN,
    }
}

const fn pick(language: Language, zh: &'static str, en: &'static str) -> &'static str {
    match language {
        Language::Zh => zh,
        Language::En => en,
    }
}

/// The word of a state.
pub const fn state(state: CaseState, language: Language) -> &'static str {
    match state {
        CaseState::Pending => pick(language, "待处理", "pending"),
        CaseState::Working => pick(language, "核查中", "in work"),
        CaseState::Review => pick(language, "待复核", "for approval"),
        CaseState::Closed => pick(language, "已办结", "closed"),
        CaseState::Snoozed => pick(language, "暂缓", "snoozed"),
    }
}

/// The word of a stage: what it waits for.
pub const fn stage(stage: Stage, language: Language) -> &'static str {
    match stage {
        Stage::ToIssue => pick(language, "待发整改通知", "letter to be issued"),
        Stage::Issued => pick(language, "已发出，待签收", "issued, to be acknowledged"),
        Stage::Acknowledged => pick(language, "已签收，待核实", "acknowledged, to be verified"),
        Stage::Verified => pick(language, "已核实，待整改", "verified, to be rectified"),
        Stage::Rectified => pick(language, "已整改，待销号", "rectified, to be closed"),
    }
}

/// The word of an alert's standing.
pub const fn standing(standing: Standing, language: Language) -> &'static str {
    match standing {
        Standing::Open => pick(language, "持续中", "open"),
        Standing::Cleared => pick(language, "已解除", "cleared"),
        Standing::Withdrawn => pick(language, "已撤回", "withdrawn"),
    }
}

/// The word of a severity.
pub const fn severity(severity: Severity, language: Language) -> &'static str {
    match severity {
        Severity::Blue => pick(language, "蓝", "blue"),
        Severity::Yellow => pick(language, "黄", "yellow"),
        Severity::Orange => pick(language, "橙", "orange"),
        Severity::Red => pick(language, "红", "red"),
    }
}

/// The word of a role.
pub const fn role(role: Role, language: Language) -> &'static str {
    match role {
        Role::Viewer => pick(language, "查看", "viewer"),
        Role::Reviewer => pick(language, "核查", "reviewer"),
        Role::Supervisor => pick(language, "复核", "supervisor"),
        Role::Auditor => pick(language, "审计", "auditor"),
        Role::Administrator => pick(language, "管理", "administrator"),
    }
}

/// What a token may be used for.
pub const fn scope(scope: Scope, language: Language) -> &'static str {
    match scope {
        Scope::Read => pick(language, "仅查看", "read"),
        Scope::Work => pick(language, "查看和办理", "read and act"),
    }
}

/// The word of a tab.
pub const fn tab(tab: Tab, language: Language) -> &'static str {
    match tab {
        Tab::Mine => pick(language, "我的", "Mine"),
        Tab::Unassigned => pick(language, "未分配", "Unassigned"),
        Tab::Approval => pick(language, "待我复核", "For my approval"),
        Tab::Overdue => pick(language, "逾期", "Overdue"),
        Tab::All => pick(language, "全部在办", "All open"),
        Tab::Closed => pick(language, "已办结", "Closed"),
    }
}

/// The word of an order.
pub const fn sort(sort: Sort, language: Language) -> &'static str {
    match sort {
        Sort::Urgency => pick(language, "轻重缓急", "urgency"),
        Sort::Amount => pick(language, "金额", "amount"),
        Sort::News => pick(language, "最近动态", "latest news"),
        Sort::Due => pick(language, "期限", "deadline"),
    }
}

/// The word of a kind of letter.
pub const fn letter(kind: LetterKind, language: Language) -> &'static str {
    match kind {
        LetterKind::Inspection => pick(language, "核查通知书", "notice of inspection"),
        LetterKind::Reminder => pick(language, "提示函", "reminder"),
        LetterKind::Rectification => pick(language, "整改通知", "order to rectify"),
    }
}

/// The word of a decision's state.
pub fn decision_state(word: &str, language: Language) -> &'static str {
    match word {
        "proposed" => pick(language, "待复核", "waits for approval"),
        "in-force" => pick(language, "已生效", "in force"),
        "returned" => pick(language, "已退回", "returned"),
        _ => pick(language, "已被取代", "superseded"),
    }
}

/// The word of what became of a case, or of its alert.
pub fn step(kind: &str, language: Language) -> &'static str {
    match kind {
        "raised" => pick(language, "预警发出", "alert raised"),
        "reopened" => pick(language, "再次出现或重新办理", "reopened"),
        "changed" => pick(language, "预警有变化", "alert changed"),
        "cleared" => pick(language, "预警解除", "alert cleared"),
        "withdrawn" => pick(language, "预警撤回", "alert withdrawn"),
        "assigned" => pick(language, "分配给", "assigned to"),
        "released" => pick(language, "退回待分配", "released"),
        "noted" => pick(language, "备注", "note"),
        "snoozed" => pick(language, "暂缓至", "snoozed until"),
        "resumed" => pick(language, "恢复办理", "resumed"),
        "woken" => pick(language, "暂缓到期", "snooze is over"),
        "proposed" => pick(language, "提出处理意见", "decision proposed"),
        "decided" => pick(language, "作出处理意见", "decided"),
        "approved" => pick(language, "复核同意", "approved"),
        "returned" => pick(language, "复核退回", "returned"),
        "letter" => pick(language, "发出文书", "letter issued"),
        "issued" => pick(language, "整改通知已发出", "order issued"),
        "acknowledged" => pick(language, "已签收", "acknowledged"),
        "verified" => pick(language, "已核实", "verified"),
        "rectified" => pick(language, "已整改", "rectified"),
        "closed" => pick(language, "销号办结", "closed"),
        _ => pick(language, "变动", "changed"),
    }
}

/// The word of a kind of the audit trail.
pub const fn audit_kind(kind: Kind, language: Language) -> &'static str {
    match kind {
        Kind::Login => pick(language, "登录", "login"),
        Kind::Logout => pick(language, "退出", "logout"),
        Kind::Denied => pick(language, "越权被拒", "denied"),
        Kind::Enrolled => pick(language, "设置密码", "enrolled"),
        Kind::TokenMade => pick(language, "发放口令", "token made"),
        Kind::ApiTokenMade => pick(language, "发放接口令牌", "API token made"),
        Kind::ApiTokenRevoked => pick(language, "吊销接口令牌", "API token revoked"),
        Kind::PersonAdded => pick(language, "新增人员", "person added"),
        Kind::PersonChanged => pick(language, "更改人员", "person changed"),
        Kind::PasswordChanged => pick(language, "更改密码", "password changed"),
        Kind::Read => pick(language, "查看个人预警", "personal alert read"),
        Kind::Revealed => pick(language, "查看完整号码", "number shown in full"),
        Kind::Exported => pick(language, "导出", "exported"),
        Kind::Worked => pick(language, "办理", "case worked on"),
        Kind::Decided => pick(language, "处理意见", "decision"),
        Kind::LetterIssued => pick(language, "发出文书", "letter issued"),
    }
}

/// Why something was not done.
pub const fn refusal(refusal: Refusal, language: Language) -> &'static str {
    match refusal {
        Refusal::WrongState => pick(
            language,
            "当前状态不能进行此操作。",
            "The state of the case does not allow it.",
        ),
        Refusal::FourEyes => pick(
            language,
            "不能复核本人提出的意见，也不能核实本人报告的整改。",
            "Nobody approves what he proposed, or checks what he reported mended.",
        ),
        Refusal::NoteMissing => pick(
            language,
            "须填写说明，不超过 2000 字。",
            "A note is needed, of 2,000 characters at most.",
        ),
        Refusal::ReasonMissing => pick(
            language,
            "须填写事由，不超过 200 字。",
            "A reason is needed, of 200 characters at most.",
        ),
        Refusal::BadDay => pick(
            language,
            "日期须晚于今天，或选择加重时恢复。",
            "The day must be later than today, or choose until it gets worse.",
        ),
        Refusal::SnoozeTooLong => pick(
            language,
            "暂缓时间过长，请选择页面所示的最迟日期或更早。",
            "That is too long: choose the latest day that the page shows, or an earlier one.",
        ),
        Refusal::BadChoice => pick(language, "所选项无效。", "That cannot be chosen."),
        Refusal::NothingChosen => pick(language, "尚未选择。", "Nothing was chosen."),
        Refusal::TooManyChosen => pick(language, "一次选择过多。", "Too many were chosen at once."),
        Refusal::LoginTaken => pick(language, "账号已被使用。", "The login is taken."),
        Refusal::PasswordLength => pick(
            language,
            "密码须为 12 至 256 个字符。",
            "The password must be of 12 to 256 characters.",
        ),
        Refusal::PasswordNames => pick(
            language,
            "密码不得含有账号或姓名。",
            "The password must not contain your login or your name.",
        ),
        Refusal::PasswordCommon => pick(
            language,
            "密码过于常见或容易猜中：请用几个不相干的词，勿用常见密码、姓名、日期、重复字符或键盘顺序。",
            "The password is a common one or soon guessed: take several words that have nothing to do with each other, not common passwords, names, dates, repetitions or rows of keys.",
        ),
        Refusal::PasswordsDiffer => pick(
            language,
            "两次输入的密码不一致。",
            "The two passwords differ.",
        ),
        Refusal::WrongPassword => {
            pick(language, "现密码不正确。", "The present password is wrong.")
        }
        Refusal::WrongCode => pick(
            language,
            "验证码不正确或已用过。",
            "The code is wrong, or was used before.",
        ),
        Refusal::BadToken => pick(
            language,
            "口令无效、已用过或已过期。",
            "The token is unknown, used, or too old.",
        ),
        Refusal::AnotherPerson => pick(
            language,
            "统一身份认证平台上的登录名与此账号不符，未绑定。",
            "The identity provider calls you by another login than this account's: it was not bound.",
        ),
        Refusal::IdentityTaken => pick(
            language,
            "该身份已与另一账号绑定。",
            "You are bound to another account here.",
        ),
        Refusal::OwnRole => pick(
            language,
            "不能更改本人的角色。",
            "Nobody changes his own role.",
        ),
    }
}

/// Why an item of a bulk action was not done.
pub const fn failure(error: &CasebookError, language: Language) -> &'static str {
    match error {
        CasebookError::Refused(reason) => refusal(*reason, language),
        CasebookError::Stale { .. } => pick(language, "已被他人更新。", "Somebody was faster."),
        CasebookError::Missing => pick(language, "没有此件。", "There is no such case."),
        _ => pick(language, "出错了。", "Something failed."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_chinese(c: char) -> bool {
        ('\u{4e00}'..='\u{9fff}').contains(&c)
    }

    /// That no word is missing in a language the compiler sees to; that none was forgotten to be translated is seen here.
    #[test]
    fn each_word_is_of_its_language() {
        for (key, zh, en) in ALL {
            // The name of the other language is in that language; a unit may be empty.
            if matches!(*key, "lang" | "language_other" | "pages_unit") {
                continue;
            }
            assert!(zh.chars().any(is_chinese), "{key}: {zh}");
            assert!(!en.is_empty() && !en.chars().any(is_chinese), "{key}: {en}");
        }
    }

    #[test]
    fn nothing_is_said_twice_of_different_things() {
        for language in [Language::Zh, Language::En] {
            let mut states = CaseState::ALL.map(|of| state(of, language)).to_vec();
            states.sort_unstable();
            states.dedup();
            assert_eq!(states.len(), CaseState::ALL.len());
            let mut kinds = Kind::ALL.map(|of| audit_kind(of, language)).to_vec();
            kinds.sort_unstable();
            kinds.dedup();
            assert_eq!(kinds.len(), Kind::ALL.len());
        }
    }
}

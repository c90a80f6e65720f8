//! Grafana's classic board format (`schemaVersion` 42), as much of it as our boards use.
//!
//! A board is rows of panels; where they lie follows from their order and size. Knows no metric and no word of the
//! fund.

use serde_json::{Value, json};

/// The width of a board.
const COLUMNS: u32 = 24;
/// What every query, panel and variable reads from.
const DATASOURCE: &str = "${datasource}";

/// A board.
pub struct Board {
    /// Names the file, and the board in addresses.
    pub uid: &'static str,
    /// Title, in both languages.
    pub title: &'static str,
    /// What it is for.
    pub description: &'static str,
    /// What the reader may choose, beside data source and console.
    pub variables: Vec<Value>,
    /// From top to bottom.
    pub rows: Vec<Row>,
}

/// Panels under one heading.
pub struct Row {
    /// The heading.
    pub title: &'static str,
    /// From left to right, wrapped where the board ends.
    pub panels: Vec<Panel>,
}

/// A panel: one question, answered.
pub struct Panel {
    kind: &'static str,
    title: String,
    description: String,
    width: u32,
    height: u32,
    queries: Vec<Query>,
    options: Value,
    defaults: Value,
    overrides: Vec<Value>,
    transformations: Vec<Value>,
}

/// A question to Prometheus.
struct Query {
    expr: String,
    legend: String,
    is_instant: bool,
}

/// A column of a table: header, query, unit, decimals.
pub struct Column {
    /// The header, unit stated.
    pub header: String,
    /// Answers with one value for each row.
    pub expr: String,
    /// The unit.
    pub unit: &'static str,
    /// Digits after the point.
    pub decimals: u32,
    /// Words and colours for values, if they have any.
    pub mappings: Vec<Value>,
}

impl Column {
    /// A column of whole numbers.
    pub fn count(header: &str, expr: String) -> Column {
        Column {
            header: header.to_owned(),
            expr,
            unit: "locale",
            decimals: 0,
            mappings: Vec::new(),
        }
    }

    /// A column of yuan, to the fen, grouped.
    pub fn yuan(header: &str, expr: String) -> Column {
        Column {
            header: header.to_owned(),
            expr,
            unit: "locale",
            decimals: 2,
            mappings: Vec::new(),
        }
    }

    /// A column of dates, from seconds since 1970.
    pub fn date(header: &str, seconds: &str) -> Column {
        Column {
            header: header.to_owned(),
            expr: format!("1000 * {seconds}"),
            unit: DATE,
            decimals: 0,
            mappings: Vec::new(),
        }
    }

    /// A column of moments, from seconds since 1970.
    pub fn time(header: &str, seconds: &str) -> Column {
        Column {
            unit: TIME,
            ..Column::date(header, seconds)
        }
    }
}

/// A moment, of milliseconds since 1970.
const TIME: &str = "time:YYYY-MM-DD HH:mm:ss";
/// A date, of milliseconds since 1970.
pub const DATE: &str = "time:YYYY-MM-DD";
/// Yuan divided by ten thousand.
pub const WAN: &str = "suffix: 万元";

impl Panel {
    fn new(kind: &'static str, title: &str, description: &str, size: (u32, u32)) -> Panel {
        Panel {
            kind,
            title: title.to_owned(),
            description: description.to_owned(),
            width: size.0,
            height: size.1,
            queries: Vec::new(),
            options: json!({}),
            defaults: json!({
                "color": { "mode": "thresholds" },
                "custom": {},
                "decimals": 0,
                "links": [],
                "mappings": [],
                "noValue": "无数据 no data",
                "thresholds": thresholds(&[("text", None)]),
                "unit": "locale",
            }),
            overrides: Vec::new(),
            transformations: Vec::new(),
        }
    }

    /// One or a few numbers, large.
    pub fn stat(title: &str, description: &str, size: (u32, u32)) -> Panel {
        let mut panel = Panel::new("stat", title, description, size);
        panel.options = json!({
            "colorMode": "value",
            "graphMode": "none",
            "justifyMode": "center",
            "orientation": "auto",
            "percentChangeColorMode": "standard",
            "reduceOptions": { "calcs": ["lastNotNull"], "fields": "", "values": false },
            "showPercentChange": false,
            "textMode": "auto",
            "wideLayout": true,
        });
        panel
    }

    /// Lines over time.
    pub fn chart(title: &str, description: &str, size: (u32, u32)) -> Panel {
        let mut panel = Panel::new("timeseries", title, description, size);
        panel.options = json!({
            "legend": { "calcs": ["lastNotNull"], "displayMode": "list", "placement": "bottom", "showLegend": true },
            "tooltip": { "mode": "multi", "sort": "desc" },
        });
        panel.defaults["color"] = json!({ "mode": "palette-classic" });
        panel.defaults["custom"] = json!({
            "axisLabel": "",
            "axisPlacement": "auto",
            "axisSoftMin": 0,
            "drawStyle": "line",
            "fillOpacity": 10,
            "lineInterpolation": "stepAfter",
            "lineWidth": 2,
            "showPoints": "never",
            "spanNulls": false,
            "stacking": { "group": "A", "mode": "none" },
        });
        panel
    }

    /// Bars, the longest first.
    pub fn bars(title: &str, description: &str, size: (u32, u32)) -> Panel {
        let mut panel = Panel::new("bargauge", title, description, size);
        panel.options = json!({
            "displayMode": "basic",
            "legend": { "calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": false },
            "maxVizHeight": 300,
            "minVizHeight": 16,
            "minVizWidth": 8,
            "namePlacement": "left",
            "orientation": "horizontal",
            "reduceOptions": { "calcs": ["lastNotNull"], "fields": "", "values": false },
            "showUnfilled": true,
            "sizing": "auto",
            "valueMode": "text",
        });
        panel.defaults["min"] = json!(0);
        panel
    }

    /// Rows told apart by `keys`, each a label and its header; then the columns.
    pub fn table(
        title: &str,
        description: &str,
        size: (u32, u32),
        keys: &[(&str, &str)],
        columns: Vec<Column>,
    ) -> Panel {
        let mut panel = Panel::new("table", title, description, size);
        panel.options = json!({ "cellHeight": "sm", "showHeader": true });
        panel.defaults["custom"] = json!({ "align": "auto", "cellOptions": { "type": "auto" } });
        let mut names = serde_json::Map::new();
        let mut order = serde_json::Map::new();
        for (at, (label, header)) in keys.iter().enumerate() {
            names.insert((*label).to_owned(), json!(header));
            order.insert((*label).to_owned(), json!(at));
        }
        let only = columns.len() == 1;
        for (at, column) in columns.into_iter().enumerate() {
            let letter = letter(at);
            // A single frame is not merged, and keeps the plain name.
            let field = if only {
                "Value".to_owned()
            } else {
                format!("Value #{letter}")
            };
            order.insert(field.clone(), json!(keys.len() + at));
            names.insert(field, json!(column.header));
            let mut properties = vec![
                json!({ "id": "unit", "value": column.unit }),
                json!({ "id": "decimals", "value": column.decimals }),
                json!({ "id": "custom.align", "value": "right" }),
            ];
            if !column.mappings.is_empty() {
                properties.push(json!({ "id": "mappings", "value": column.mappings }));
                properties
                    .push(json!({ "id": "custom.cellOptions", "value": { "type": "color-text" } }));
            }
            panel.overrides.push(by_name(&column.header, properties));
            panel.queries.push(Query {
                expr: column.expr,
                legend: String::new(),
                is_instant: true,
            });
        }
        panel.transformations = vec![
            json!({ "id": "merge", "options": {} }),
            json!({ "id": "organize", "options": {
                "excludeByName": { "Time": true },
                "indexByName": order,
                "renameByName": names,
            } }),
        ];
        panel
    }

    /// Asks for the values now; `legend` names them.
    pub fn now(mut self, expr: impl Into<String>, legend: &str) -> Panel {
        self.queries.push(Query {
            expr: expr.into(),
            legend: legend.to_owned(),
            is_instant: true,
        });
        self
    }

    /// Asks for the values over time.
    pub fn over_time(mut self, expr: impl Into<String>, legend: &str) -> Panel {
        self.queries.push(Query {
            expr: expr.into(),
            legend: legend.to_owned(),
            is_instant: false,
        });
        self
    }

    /// The unit, and digits after the point.
    pub fn unit(mut self, unit: &str, decimals: u32) -> Panel {
        self.defaults["unit"] = json!(unit);
        self.defaults["decimals"] = json!(decimals);
        self
    }

    /// What stands on the axis of a chart.
    pub fn axis(mut self, label: &str) -> Panel {
        self.defaults["custom"]["axisLabel"] = json!(label);
        self
    }

    /// Areas on top of each other.
    pub fn stacked(mut self) -> Panel {
        self.defaults["custom"]["stacking"]["mode"] = json!("normal");
        self.defaults["custom"]["fillOpacity"] = json!(60);
        self.defaults["custom"]["lineWidth"] = json!(1);
        self
    }

    /// The colour from each value on; the first from the least.
    pub fn thresholds(mut self, steps: &[(&str, Option<f64>)]) -> Panel {
        self.defaults["thresholds"] = thresholds(steps);
        self
    }

    /// A line across a chart, at the last threshold.
    pub fn with_goal_line(mut self, seconds: f64) -> Panel {
        self.defaults["thresholds"] = thresholds(&[("transparent", None), ("red", Some(seconds))]);
        self.defaults["custom"]["thresholdsStyle"] = json!({ "mode": "dashed" });
        self
    }

    /// The greatest value there can be.
    pub fn up_to(mut self, max: u32) -> Panel {
        self.defaults["max"] = json!(max);
        self
    }

    /// Words and colours for values.
    pub fn words(mut self, mappings: Vec<Value>) -> Panel {
        self.defaults["mappings"] = json!(mappings);
        self
    }

    /// What applies to single fields.
    pub fn fields(mut self, overrides: impl IntoIterator<Item = Value>) -> Panel {
        self.overrides.extend(overrides);
        self
    }

    /// Where a click leads.
    pub fn link(mut self, title: &str, url: &str) -> Panel {
        self.defaults["links"] = json!([{ "title": title, "url": url, "targetBlank": true }]);
        self
    }

    /// The rows of a table with the most in a column come first.
    pub fn most_first(mut self, header: &str) -> Panel {
        self.options["sortBy"] = json!([{ "desc": true, "displayName": header }]);
        self
    }

    /// The rows of a table are in the order of a column.
    pub fn in_order_of(mut self, header: &str) -> Panel {
        self.options["sortBy"] = json!([{ "desc": false, "displayName": header }]);
        self
    }

    /// Names and values beside each other.
    pub fn with_names(mut self) -> Panel {
        self.options["textMode"] = json!("value_and_name");
        self
    }

    /// The queries.
    pub fn exprs(&self) -> impl Iterator<Item = &str> {
        self.queries.iter().map(|query| query.expr.as_str())
    }

    fn json(&self, id: u32, x: u32, y: u32) -> Value {
        let source = datasource();
        let targets: Vec<Value> = self
            .queries
            .iter()
            .enumerate()
            .map(|(at, query)| {
                json!({
                    "datasource": source,
                    "editorMode": "code",
                    "expr": query.expr,
                    "format": if self.kind == "table" { "table" } else { "time_series" },
                    "instant": query.is_instant,
                    "legendFormat": query.legend,
                    "range": !query.is_instant,
                    "refId": letter(at),
                })
            })
            .collect();
        json!({
            "datasource": source,
            "description": self.description,
            "fieldConfig": { "defaults": self.defaults, "overrides": self.overrides },
            "gridPos": { "h": self.height, "w": self.width, "x": x, "y": y },
            "id": id,
            "options": self.options,
            "targets": targets,
            "title": self.title,
            "transformations": self.transformations,
            "transparent": false,
            "type": self.kind,
        })
    }
}

impl Board {
    /// The file's content. `console` is the address that links lead to.
    pub fn json(&self, console: &str) -> Value {
        let mut panels = Vec::new();
        let mut y = 0;
        let mut next_id = 1..;
        let mut id = || next_id.next().unwrap_or(u32::MAX);
        for row in &self.rows {
            panels.push(json!({
                "collapsed": false,
                "gridPos": { "h": 1, "w": COLUMNS, "x": 0, "y": y },
                "id": id(),
                "panels": [],
                "title": row.title,
                "type": "row",
            }));
            y += 1;
            let (mut x, mut tallest) = (0, 0);
            for panel in &row.panels {
                if x + panel.width > COLUMNS {
                    (x, y, tallest) = (0, y + tallest, 0);
                }
                panels.push(panel.json(id(), x, y));
                x += panel.width;
                tallest = tallest.max(panel.height);
            }
            y += tallest;
        }
        let mut variables = vec![datasource_variable(), console_variable(console)];
        variables.extend(self.variables.iter().cloned());
        json!({
            "annotations": { "list": [] },
            "description": self.description,
            "editable": false,
            "fiscalYearStartMonth": 0,
            "graphTooltip": 1,
            "links": [
                {
                    "asDropdown": false, "icon": "external link", "includeVars": true, "keepTime": true,
                    "tags": ["fundwatch"], "targetBlank": false, "title": "", "tooltip": "", "type": "dashboards",
                    "url": "",
                },
                {
                    "asDropdown": false, "icon": "external link", "includeVars": false, "keepTime": false,
                    "tags": [], "targetBlank": true, "title": "控制台 / Console",
                    "tooltip": "逐案核查在控制台进行 / cases are worked on in the console", "type": "link",
                    "url": "${console}/alerts",
                },
            ],
            "panels": panels,
            "preload": false,
            "refresh": "30s",
            "schemaVersion": 42,
            "tags": ["fundwatch"],
            "templating": { "list": variables },
            "time": { "from": "now-6h", "to": "now" },
            "timepicker": {},
            "timezone": "Asia/Shanghai",
            "title": self.title,
            "uid": self.uid,
            "version": 1,
            "weekStart": "monday",
        })
    }
}

/// What applies to the field of a name.
pub fn by_name(name: &str, properties: Vec<Value>) -> Value {
    json!({ "matcher": { "id": "byName", "options": name }, "properties": properties })
}

/// A key column of a table: words for its values, and where a click on one leads.
pub fn key(header: &str, words: Vec<Value>, link: Option<(&str, &str)>) -> Value {
    let mut properties = vec![json!({ "id": "mappings", "value": words })];
    if let Some((title, url)) = link {
        let link = json!([{ "title": title, "url": url, "targetBlank": true }]);
        properties.push(json!({ "id": "links", "value": link }));
    }
    by_name(header, properties)
}

/// A field of a chart gets a name and a colour.
pub fn named(field: &str, name: &str, color: Option<&str>) -> Value {
    let mut properties = vec![json!({ "id": "displayName", "value": name })];
    if let Some(color) = color {
        properties
            .push(json!({ "id": "color", "value": { "fixedColor": color, "mode": "fixed" } }));
    }
    by_name(field, properties)
}

/// A word, and its colour, for a value.
pub fn word(value: &str, text: &str, color: Option<&str>) -> Value {
    let mut result = json!({ "index": 0, "text": text });
    if let Some(color) = color {
        result["color"] = json!(color);
    }
    json!({ "type": "value", "options": { value: result } })
}

/// A word and its colour for the values from `from` to `to`.
pub fn word_between(from: Option<f64>, to: Option<f64>, text: &str, color: &str) -> Value {
    json!({
        "type": "range",
        "options": { "from": from, "to": to, "result": { "color": color, "index": 0, "text": text } },
    })
}

/// A variable whose values are those of a query; several may be chosen, at first all.
pub fn choice(name: &str, label: &str, query: &str, regex: &str) -> Value {
    json!({
        "allValue": ".+",
        "current": { "selected": true, "text": ["All"], "value": ["$__all"] },
        "datasource": datasource(),
        "hide": 0,
        "includeAll": true,
        "label": label,
        "multi": true,
        "name": name,
        "options": [],
        "query": { "qryType": 3, "query": query, "refId": "choice" },
        "refresh": 2,
        "regex": regex,
        "skipUrlSync": false,
        "sort": 1,
        "type": "query",
    })
}

fn datasource() -> Value {
    json!({ "type": "prometheus", "uid": DATASOURCE })
}

fn datasource_variable() -> Value {
    json!({
        "current": { "selected": true, "text": "Prometheus", "value": "prometheus" },
        "hide": 0,
        "includeAll": false,
        "label": "数据源 / Data source",
        "multi": false,
        "name": "datasource",
        "options": [],
        "query": "prometheus",
        "refresh": 1,
        "regex": "",
        "skipUrlSync": false,
        "type": "datasource",
    })
}

/// A constant, so that no address handed around can point the links elsewhere.
fn console_variable(console: &str) -> Value {
    json!({
        "current": { "selected": true, "text": console, "value": console },
        "hide": 2,
        "label": "控制台地址 / Address of the console",
        "name": "console",
        "options": [],
        "query": console,
        "skipUrlSync": true,
        "type": "constant",
    })
}

fn thresholds(steps: &[(&str, Option<f64>)]) -> Value {
    let steps: Vec<Value> = steps
        .iter()
        .map(|(color, value)| json!({ "color": color, "value": value }))
        .collect();
    json!({ "mode": "absolute", "steps": steps })
}

fn letter(at: usize) -> char {
    char::from(b'A' + u8::try_from(at).unwrap_or(25))
}

//! The names in a query: which metrics it asks for, and by which labels. No more of PromQL is understood.

/// Words of PromQL that stand where a metric could.
const WORDS: [&str; 10] = [
    "by",
    "on",
    "and",
    "or",
    "unless",
    "offset",
    "ignoring",
    "without",
    "group_left",
    "group_right",
];

/// The metrics and recorded series that a query names, as exported: a histogram's without `_bucket`.
pub fn metrics(expr: &str) -> Vec<String> {
    let mut found = Vec::new();
    let outside = without_labels(expr);
    let mut rest = outside.as_str();
    while let Some(start) = rest.find(|c: char| c.is_ascii_alphabetic() || c == '_') {
        let word_end = rest[start..]
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'))
            .map_or(rest.len(), |end| start + end);
        let word = &rest[start..word_end];
        let is_number = rest[..start].ends_with(|c: char| c.is_ascii_digit());
        let is_call = rest[word_end..].trim_start().starts_with('(');
        if !is_number && !is_call && !WORDS.contains(&word) {
            let plain = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|suffix| word.strip_suffix(suffix))
                .unwrap_or(word);
            found.push(plain.to_owned());
        }
        rest = &rest[word_end..];
    }
    found
}

/// The labels that a query chooses or groups by.
#[cfg(test)]
pub fn labels(expr: &str) -> Vec<String> {
    let mut found = Vec::new();
    for inside in expr.split('{').skip(1) {
        let inside = inside.split('}').next().unwrap_or_default();
        found.extend(inside.split(',').filter_map(|matcher| {
            let name = matcher.split(['=', '!', '~']).next()?.trim();
            (!name.is_empty() && !name.contains('"')).then(|| name.to_owned())
        }));
    }
    for keyword in LISTS {
        for after in expr.split(keyword).skip(1) {
            if let Some(list) = after.strip_prefix(" (").or_else(|| after.strip_prefix('(')) {
                let list = list.split(')').next().unwrap_or_default();
                found.extend(
                    list.split(',')
                        .map(|name| name.trim().to_owned())
                        .filter(|name| !name.is_empty()),
                );
            }
        }
    }
    found
}

/// What a list of labels stands behind.
const LISTS: [&str; 5] = [" by", " on", " ignoring", " without", " group_left"];

/// Without what stands in braces, brackets and quotes, and without lists of labels.
fn without_labels(expr: &str) -> String {
    let mut outside = String::new();
    let mut depth = 0_u32;
    let mut is_quoted = false;
    for c in expr.chars() {
        match c {
            '"' => is_quoted = !is_quoted,
            '{' | '[' => depth += 1,
            '}' | ']' => depth = depth.saturating_sub(1),
            _ if depth == 0 && !is_quoted => outside.push(c),
            _ => {}
        }
    }
    for keyword in LISTS {
        let mut kept = String::new();
        let mut rest = outside.as_str();
        while let Some(at) = rest.find(keyword) {
            let after = rest[at + keyword.len()..].trim_start();
            kept.push_str(&rest[..at]);
            if let Some(list) = after.strip_prefix('(') {
                rest = list.split_once(')').map_or("", |(_, rest)| rest);
            } else {
                kept.push_str(keyword);
                rest = &rest[at + keyword.len()..];
            }
        }
        kept.push_str(rest);
        outside = kept;
    }
    outside
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_a_query() {
        let expr = r#"sort_desc((sum by (region) (a_yuan{region=~"$region",kind!="x"}) * on (region) group_left (name) max by (region, name) (b_info)) / 1e4) > 0 and level:c:sum and rate(d_seconds_bucket[5m]) unless time() - up + label_replace(e_yuan, "x", "$1", "y", "(.*)")"#;
        assert_eq!(
            metrics(expr),
            [
                "a_yuan",
                "b_info",
                "level:c:sum",
                "d_seconds",
                "up",
                "e_yuan"
            ]
        );
        let mut labels = labels(expr);
        labels.sort();
        labels.dedup();
        assert_eq!(labels, ["kind", "name", "region"]);
    }
}

//! What a parser has against an input, in both languages: Chinese, then the parser's own English in brackets.

/// The complaint of a parser of JSON or of a query.
pub fn told(complaint: &str) -> String {
    format!("{} ({complaint})", chinese(complaint))
}

/// The body could not be read to its end.
pub fn unread(complaint: &str) -> String {
    format!("未能完整读取 ({complaint})")
}

fn chinese(complaint: &str) -> String {
    let (what, place) = complaint.rsplit_once(" at line ").unwrap_or((complaint, ""));
    match place.split_once(" column ") {
        Some((line, column)) => {
            format!("{}（第 {line} 行第 {column} 列）", fault(what).unwrap_or_else(|| "语法有误".into()))
        }
        None => fault(what).unwrap_or_else(|| "无法识别".into()),
    }
}

/// The words of serde's own complaints (`serde::de::Error`), which quote in backticks what is the caller's; nothing for
/// what only a parser of a certain notation says.
fn fault(what: &str) -> Option<String> {
    let after = |start: &str| what.split_once(start).map(|(_, rest)| rest);
    if let Some(field) = after("missing field ") {
        return Some(format!("缺少字段 {field}"));
    }
    if let Some(field) = after("duplicate field ") {
        return Some(format!("字段 {field} 重复"));
    }
    if let Some(rest) = after("unknown field ") {
        return Some(format!("没有字段 {}", choice(rest)));
    }
    if let Some(rest) = after("unknown variant ") {
        return Some(format!("没有取值 {}", choice(rest)));
    }
    if let Some(rest) = after("invalid type: ") {
        let expected = rest.rsplit_once(", expected ").and_then(|(_, expected)| notion(expected));
        return Some(expected.map_or_else(|| "类型不对".to_owned(), |expected| format!("类型不对，应为{expected}")));
    }
    let further = [
        ("invalid length", "长度不对"),
        ("invalid value", "取值不对"),
        ("invalid digit", "须为非负整数"),
        ("was not `true` or `false`", "须为 `true` 或 `false`"),
    ];
    further.into_iter().find(|(said, _)| what.contains(said)).map(|(_, chinese)| chinese.to_owned())
}

/// "`a`, expected one of `b`, `c`" as "`a`，可用：`b`、`c`".
fn choice(rest: &str) -> String {
    match rest.split_once(", expected ") {
        Some((given, offered)) if offered.contains('`') => {
            let offered = offered.trim_start_matches("one of ").replace(", ", "、").replace(" or ", "、");
            format!("{given}，可用：{offered}")
        }
        Some((given, _)) => given.to_owned(),
        None => rest.split(',').next().unwrap_or_default().to_owned(),
    }
}

/// What serde expects, where it is one of few things.
fn notion(expected: &str) -> Option<&'static str> {
    match expected {
        "a string" | "a borrowed string" | "string or map" => Some("文本"),
        "a boolean" => Some("是或否"),
        "a sequence" => Some("列表"),
        "a map" => Some("对象"),
        "u16" | "u32" | "u64" | "usize" | "i32" | "i64" => Some("整数"),
        _ if expected.starts_with("struct ") => Some("对象"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_serde_says_is_said_in_chinese_too() {
        for (english, chinese) in [
            ("missing field `name` at line 1 column 2", "缺少字段 `name`（第 1 行第 2 列）"),
            ("unknown field `x`, expected one of `a`, `b`", "没有字段 `x`，可用：`a`、`b`"),
            ("unknown field `x`, expected `a` or `b`", "没有字段 `x`，可用：`a`、`b`"),
            ("unknown field `x`, there are no fields", "没有字段 `x`"),
            ("unknown variant `x`, expected `a`", "没有取值 `x`，可用：`a`"),
            (r#"invalid type: string "a", expected u16"#, "类型不对，应为整数"),
            ("expected value at line 1 column 5", "语法有误（第 1 行第 5 列）"),
            ("Failed to deserialize query string: limit: invalid digit found in string", "须为非负整数"),
            ("dryRun: provided string was not `true` or `false`", "须为 `true` 或 `false`"),
            ("who knows", "无法识别"),
        ] {
            assert_eq!(told(english), format!("{chinese} ({english})"));
        }
    }
}

//! What the audience sees: chapters, commands, answers, and whether each was as told.

use std::{io::IsTerminal, path::Path};

use http::Method;
use serde_json::Value;

use super::DemoError;
use crate::{Answer, Caller, World};

/// Longest answer shown; the rest is in the reports.
const LINES: usize = 24;

/// Prints to standard output, in colour on a terminal.
#[derive(Debug)]
pub struct Stage {
    colour: bool,
}

impl Default for Stage {
    fn default() -> Self {
        Self { colour: std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none() }
    }
}

impl Stage {
    /// A chapter.
    pub fn title(&self, text: &str, below: &str) {
        println!("\n{}", self.painted("1;36", &format!("== {text}")));
        println!("   {below}");
    }

    /// A remark.
    pub fn note(&self, text: &str) {
        for line in text.lines() {
            println!("   {}", self.painted("2", line));
        }
    }

    /// What was expected and came true.
    pub fn seen(&self, text: &str) {
        println!("   {} {text}", self.painted("1;32", "ok"));
    }

    fn command(&self, text: &str) {
        println!("\n   {} {}", self.painted("1;33", "$"), self.painted("1", text));
    }

    fn answer(&self, text: &str) {
        let lines: Vec<_> = text.trim_end().lines().collect();
        for line in lines.iter().take(LINES) {
            println!("   {line}");
        }
        if lines.len() > LINES {
            println!("   {}", self.painted("2", &format!("... {} more lines", lines.len() - LINES)));
        }
    }

    fn painted(&self, code: &str, text: &str) -> String {
        if self.colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    /// Runs kubectl as operations would and shows its answer.
    ///
    /// # Errors
    /// When kubectl fails.
    pub async fn kubectl(&self, world: &World, arguments: &[&str]) -> Result<String, DemoError> {
        self.command(&format!("kubectl {}", arguments.iter().map(|each| quoted(each)).collect::<Vec<_>>().join(" ")));
        let answer = world.lab.kubectl(arguments).await?;
        self.answer(&answer);
        Ok(answer)
    }

    /// Applies a file of the city as `operations` would and shows how much it held.
    ///
    /// # Errors
    /// When it cannot be applied.
    pub async fn apply(&self, world: &World, path: &Path) -> Result<(), DemoError> {
        let shown = path.strip_prefix(jiyun_lab::source_root()).unwrap_or(path);
        self.command(&format!("kubectl apply --server-side -f {}", shown.display()));
        world.lab.apply(path).await?;
        self.answer("applied");
        Ok(())
    }

    /// Calls the API as somebody would with curl and shows the answer.
    ///
    /// # Errors
    /// When the API cannot be called.
    pub async fn call(&self, who: &str, caller: &Caller, request: Request<'_>) -> Result<Answer, DemoError> {
        self.command(&request.shown(who));
        let mut sent = caller.request(request.method.clone(), request.path);
        for (name, value) in request.headers {
            sent = sent.header(*name, *value);
        }
        if let Some(body) = &request.body {
            sent = sent.json(body);
        }
        let answer = caller.send(sent).await?;
        println!("   {} {}", self.painted("1", "HTTP"), answer.status);
        let json = answer.json();
        let text = if json.is_null() { answer.text.clone() } else { pretty(&json) };
        self.answer(&text);
        Ok(answer)
    }

    /// Checks what the story promises.
    ///
    /// # Errors
    /// When it is not so.
    pub fn expect(&self, holds: bool, promise: &str) -> Result<(), DemoError> {
        if !holds {
            return Err(DemoError::Otherwise(format!("expected: {promise}")));
        }
        self.seen(promise);
        Ok(())
    }
}

/// A request to the API.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// Method.
    pub method: Method,
    /// Path with query.
    pub path: &'a str,
    /// Headers beside the token.
    pub headers: &'a [(&'static str, &'static str)],
    /// JSON body.
    pub body: Option<Value>,
}

impl Request<'_> {
    fn shown(&self, who: &str) -> String {
        let mut words = vec!["curl".to_owned()];
        if self.method != Method::GET {
            words.push(format!("-X {}", self.method));
        }
        words.push(format!("$JIYUN_API{}", self.path));
        words.push(format!("-H \"Authorization: Bearer ${}\"", variable(who)));
        for (name, value) in self.headers {
            words.push(format!("-H '{name}: {value}'"));
        }
        if let Some(body) = &self.body {
            words.push(format!("--json '{body}'"));
        }
        words.join(" ")
    }
}

/// The shell variable a person's token is kept in: `finance-operator` is `FINANCE_OPERATOR`.
pub fn variable(who: &str) -> String {
    who.to_uppercase().replace('-', "_")
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=,:*[]@".contains(c);
    if !word.is_empty() && word.chars().all(plain) { word.to_owned() } else { format!("'{word}'") }
}

fn pretty(json: &Value) -> String {
    serde_json::to_string_pretty(json).unwrap_or_default()
}

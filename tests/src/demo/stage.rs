//! What the audience sees: chapters, commands, answers, and whether each was as told.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use http::Method;
use serde_json::Value;

use super::{
    DemoError,
    audience::Audience,
    prompter::{Beat, Prompter},
};
use crate::{Answer, Caller, World};

/// Longest answer shown; the rest is in the reports.
const LINES: usize = 24;

/// Shows the story to an audience, and tells a prompter, where there is one, what comes next.
#[derive(Debug, Default)]
pub struct Stage {
    audience: Audience,
    prompter: Option<Arc<dyn Prompter>>,
    beat: Mutex<Option<Beat>>,
}

impl Stage {
    /// A stage before this audience.
    pub fn before(audience: Audience) -> Self {
        Self { audience, ..Self::default() }
    }

    /// With somebody who is told each beat.
    #[must_use]
    pub fn prompted_by(self, prompter: Arc<dyn Prompter>) -> Self {
        Self { prompter: Some(prompter), ..self }
    }

    /// What was shown, where it is collected.
    pub fn collected(&self) -> String {
        self.audience.collected()
    }

    /// A chapter.
    pub fn title(&self, text: &str, below: &str) {
        self.audience.line("");
        self.audience.line(&self.audience.painted("1;36", &format!("== {text}")));
        self.audience.line(&format!("   {below}"));
    }

    /// A step of the story, by its number.
    pub async fn step(&self, number: usize, text: &str, below: &str) {
        self.title(&format!("{number}. {text}"), below);
        self.cued(Beat { step: number, command: 0 }).await;
    }

    /// A remark.
    pub fn note(&self, text: &str) {
        for line in text.lines() {
            self.audience.line(&format!("   {}", self.audience.painted("2", line)));
        }
    }

    /// What was expected and came true.
    pub fn seen(&self, text: &str) {
        self.audience.line(&format!("   {} {text}", self.audience.painted("1;32", "ok")));
    }

    pub(super) async fn command(&self, text: &str) {
        self.audience.line("");
        let prompt = self.audience.painted("1;33", "$");
        self.audience.line(&format!("   {prompt} {}", self.audience.painted("1", text)));
        let next = self.beat().map(|beat| Beat { command: beat.command + 1, ..beat });
        if let Some(next) = next {
            self.cued(next).await;
        }
    }

    async fn cued(&self, beat: Beat) {
        *self.beat.lock().unwrap_or_else(PoisonError::into_inner) = Some(beat);
        if let Some(prompter) = &self.prompter {
            prompter.cue(beat).await;
        }
    }

    fn beat(&self) -> Option<Beat> {
        *self.beat.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn answer(&self, text: &str) {
        let lines: Vec<_> = text.trim_end().lines().collect();
        for line in lines.iter().take(LINES) {
            self.audience.line(&format!("   {line}"));
        }
        if lines.len() > LINES {
            let rest = format!("... {} more lines", lines.len() - LINES);
            self.audience.line(&format!("   {}", self.audience.painted("2", &rest)));
        }
    }

    /// Runs kubectl as operations would and shows its answer.
    ///
    /// # Errors
    /// When kubectl fails.
    pub async fn kubectl(&self, world: &World, arguments: &[&str]) -> Result<String, DemoError> {
        self.command(&format!("kubectl {}", arguments.iter().map(|each| quoted(each)).collect::<Vec<_>>().join(" ")))
            .await;
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
        self.command(&format!("kubectl apply --server-side -f {}", shown.display())).await;
        world.lab.apply(path).await?;
        self.answer("applied");
        Ok(())
    }

    /// Calls the API as somebody would with curl and shows the answer.
    ///
    /// # Errors
    /// When the API cannot be called.
    pub async fn call(&self, who: &str, caller: &Caller, request: Request<'_>) -> Result<Answer, DemoError> {
        self.command(&request.shown(who)).await;
        let mut sent = caller.request(request.method.clone(), request.path);
        for (name, value) in request.headers {
            sent = sent.header(*name, *value);
        }
        if let Some(body) = &request.body {
            sent = sent.json(body);
        }
        let answer = caller.send(sent).await?;
        self.audience.line(&format!("   {} {}", self.audience.painted("1", "HTTP"), answer.status));
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

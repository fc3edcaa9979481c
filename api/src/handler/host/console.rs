//! The consoles of a host: requests whose connections go on as something else.

use std::{collections::BTreeMap, sync::Arc};

use axum::{extract::State, response::Response};
use jiyun_messages::Language;
use tracing::Instrument;
use utoipa::{
    IntoResponses,
    openapi::{Content, Ref, RefOr, Response as Answer, ResponseBuilder},
};

use crate::{
    app::App,
    console::{Console, Handshake},
    extract::{Bearer, ObjectPath},
    handler::Spoken,
    problem::Problem,
};

/// What a console may be answered with: the same of both.
struct ConsoleAnswers;

/// Refusals, with what they mean; every one of them is a problem document.
const REFUSALS: [(&str, &str); 9] = [
    ("403", "The caller may look, but not open it."),
    ("404", "No such host, or not for this caller to see."),
    ("409", "Its machine does not run (`HostNotRunning`)."),
    ("426", "Not asked for as a WebSocket (`WebSocketNeeded`), or over HTTP/2."),
    ("429", "Too many consoles of this caller are open (`TooManyConsoles`), or too many requests were sent."),
    ("501", "Consoles are switched off on this platform (`ConsolesOff`)."),
    (
        "503",
        "The console cannot be opened now (`ConsoleUnavailable`), too many are open (`ConsolesExhausted`), or nothing can be recorded.",
    ),
    ("4XX", "A problem with the request."),
    ("5XX", "A problem of the platform."),
];

impl IntoResponses for ConsoleAnswers {
    fn responses() -> BTreeMap<String, RefOr<Answer>> {
        let problem = || Content::new(Some(Ref::from_schema_name("ProblemDocument")));
        let refusals = REFUSALS.map(|(status, meaning)| {
            let answer = ResponseBuilder::new().description(meaning).content("application/problem+json", problem());
            (status, answer)
        });
        let opened = ResponseBuilder::new().description("The connection is a WebSocket (RFC 6455) from here on.");
        let all = refusals.into_iter().chain([("101", opened)]);
        all.map(|(status, answer)| (status.to_owned(), RefOr::T(answer.build()))).collect()
    }
}

/// Opens the serial console (串口控制台) of a host: a WebSocket of what its terminal shows and of what is typed.
///
/// For whoever may `create` the subresource `cloudhosts/console`: the department's operators. A frame carries bytes either
/// way; text frames are taken too. The terminal shows what comes from now on, so press Enter. Whoever opens it while somebody
/// else has it open takes it over. Browsers, which send no `Authorization`, offer the subprotocol
/// `base64url.bearer.authorization.k8s.io.<token in base64url>` beside `plain.kubevirt.io`. Opening and closing is in the audit
/// trail, where one is kept; what is typed and shown is not. It is closed when nothing was typed for a while (15 minutes, unless the
/// platform has set it otherwise), after a day's work (8 hours), soon after the token it was opened with has no right any more
/// (30 seconds), and whenever the machine stops or moves; the closing frame says why.
#[utoipa::path(
    get, path = "/v1/departments/{department}/hosts/{name}/console", tag = "hosts", operation_id = "openHostConsole",
    params(
        ("department" = String, Path, description = "Name of the department.", example = "finance"),
        ("name" = String, Path, description = "Name of the host.", example = "web-1"),
        ("Accept-Language" = Option<String>, Header, description = "`zh` (default) or `en`", example = "en"),
    ),
    responses(ConsoleAnswers),
)]
pub async fn serial(
    State(app): State<Arc<App>>,
    path: ObjectPath,
    bearer: Bearer,
    Spoken(language): Spoken,
    handshake: Result<Handshake, Problem>,
) -> Result<Response, Problem> {
    opened(app, Console::Serial, path, &bearer, language, handshake).await
}

/// Opens the graphical console (图形控制台) of a host: a WebSocket of the remote framebuffer protocol (RFC 6143), as VNC
/// viewers for browsers speak it.
///
/// For the same people, within the same bounds and as much in the audit trail as the serial console. Viewers ask for what has
/// changed on the screen by themselves, which counts as typing.
#[utoipa::path(
    get, path = "/v1/departments/{department}/hosts/{name}/vnc", tag = "hosts", operation_id = "openHostScreen",
    params(
        ("department" = String, Path, description = "Name of the department.", example = "finance"),
        ("name" = String, Path, description = "Name of the host.", example = "web-1"),
        ("Accept-Language" = Option<String>, Header, description = "`zh` (default) or `en`", example = "en"),
    ),
    responses(ConsoleAnswers),
)]
pub async fn graphical(
    State(app): State<Arc<App>>,
    path: ObjectPath,
    bearer: Bearer,
    Spoken(language): Spoken,
    handshake: Result<Handshake, Problem>,
) -> Result<Response, Problem> {
    opened(app, Console::Graphical, path, &bearer, language, handshake).await
}

async fn opened(
    app: Arc<App>,
    console: Console,
    path: ObjectPath,
    bearer: &Bearer,
    language: Language,
    handshake: Result<Handshake, Problem>,
) -> Result<Response, Problem> {
    let caller = app.caller(bearer);
    let (handshake, opened) = app.open_console(caller, path, console, language, handshake).await?;
    let (answer, becomes) = handshake.agree();
    // The log has it under the request's number.
    tokio::spawn(opened.run(becomes).in_current_span());
    Ok(answer)
}

//! The consoles of a host: requests whose connections go on as something else.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use jiyun_messages::Language;
use tracing::Instrument;

use crate::{
    app::App,
    console::{Console, Handshake},
    extract::{Bearer, ObjectPath},
    handler::Spoken,
    problem::{Problem, ProblemDocument},
};

/// Opens the serial console (串口控制台) of a host: a WebSocket of what its terminal shows and of what is typed.
///
/// For whoever may `create` the subresource `cloudhosts/console`: the department's operators. A frame carries bytes either
/// way; text frames are taken too. The terminal shows what comes from now on, so press Enter. Whoever opens it while somebody
/// else has it open takes it over. Browsers, which send no `Authorization`, offer the subprotocol
/// `base64url.bearer.authorization.k8s.io.<token in base64url>` beside `plain.kubevirt.io`. Opening and closing is in the audit
/// trail, where one is kept; what is typed and shown is not. It is closed when nothing was typed for a while (15 minutes, unless the platform has set
/// it otherwise), after a day's work (8 hours), soon after the token it was opened with has no right any more (30 seconds), and whenever
/// the machine stops or moves; the closing frame says why.
#[utoipa::path(
    get, path = "/v1/departments/{department}/hosts/{name}/console", tag = "hosts", operation_id = "openHostConsole",
    params(
        ("department" = String, Path, description = "Name of the department.", example = "finance"),
        ("name" = String, Path, description = "Name of the host.", example = "web-1"),
        ("Accept-Language" = Option<String>, Header, description = "`zh` (default) or `en`", example = "en"),
    ),
    responses(
        (status = 101, description = "The connection is a WebSocket (RFC 6455) from here on."),
        (status = 403, description = "The caller may look, but not open it.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "No such host, or not for this caller to see.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "Its machine does not run (`HostNotRunning`).", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 426, description = "Not asked for as a WebSocket (`WebSocketNeeded`), or over HTTP/2.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 429, description = "Too many consoles of this caller are open (`TooManyConsoles`), or too many requests were sent.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 501, description = "Consoles are switched off on this platform (`ConsolesOff`).", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "The console cannot be opened now (`ConsoleUnavailable`), too many are open (`ConsolesExhausted`), or nothing can be recorded.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "4XX", description = "A problem with the request.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "A problem of the platform.", body = ProblemDocument, content_type = "application/problem+json"),
    ),
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
    responses(
        (status = 101, description = "The connection is a WebSocket (RFC 6455) from here on."),
        (status = 403, description = "The caller may look, but not open it.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "No such host, or not for this caller to see.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "Its machine does not run (`HostNotRunning`).", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 426, description = "Not asked for as a WebSocket (`WebSocketNeeded`), or over HTTP/2.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 429, description = "Too many consoles of this caller are open (`TooManyConsoles`), or too many requests were sent.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 501, description = "Consoles are switched off on this platform (`ConsolesOff`).", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "The console cannot be opened now (`ConsoleUnavailable`), too many are open (`ConsolesExhausted`), or nothing can be recorded.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "4XX", description = "A problem with the request.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "A problem of the platform.", body = ProblemDocument, content_type = "application/problem+json"),
    ),
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

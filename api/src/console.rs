//! Consoles (控制台) of cloud hosts: what a person types goes to the machine, and what the machine shows comes back, as frames
//! of a WebSocket (RFC 6455) on both sides. Who opens one, and when it ends, is in the audit trail; what is typed is not.

mod ending;
mod handshake;
mod limits;
mod places;
mod relay;
mod session;

pub use self::{
    ending::Ending,
    handshake::{Handshake, Upgraded},
    limits::{ConsoleArgs, Limits},
    places::{Full, Place, Places},
    session::{Course, Rights, Session, Standing},
};

use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

/// Which console of a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr, strum::Display, strum::EnumIter)]
pub enum Console {
    /// The serial console (串口控制台): bytes of a terminal.
    Serial,
    /// The graphical console (图形控制台): the remote framebuffer protocol (RFC 6143), which VNC viewers speak.
    Graphical,
}

impl Console {
    /// What `KubeVirt` calls it: a subresource of `virtualmachineinstances` (pkg/virt-api/rest/console.go, vnc.go).
    pub const fn subresource(self) -> &'static str {
        match self {
            Self::Serial => "console",
            Self::Graphical => "vnc",
        }
    }
}

/// The largest message taken from either side. Engines send some 32 KiB at a time (Go's `io.Copy`), viewers far less; a
/// pasted text may be longer. The library keeps what it once needed: a console costs up to twice this for either side.
const MAX_MESSAGE: usize = 128 * 1024;

/// What is set aside to read into, for each side of each console. The library's own 128 KiB are for other amounts.
const READ_BUFFER: usize = 16 * 1024;

/// How frames are read and written on both sides.
pub fn frames() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_write_buffer_size(2 * MAX_MESSAGE)
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE))
}

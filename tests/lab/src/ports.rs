//! Loopback ports for the lab's servers: no two labs and no outgoing connection can take a port between its choice and
//! its use.

use std::io;
use std::net::{self, Ipv4Addr, TcpListener, TcpStream};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// First port the lab uses.
const FIRST: u16 = 15_000;
/// One past the last port the lab uses. Linux gives outgoing connections ports from 32768 on (`ip_local_port_range`), so
/// a port below stays free between the stop of a server and its restart.
const END: u16 = 32_000;

/// How long a child process that is being started may still hold a copy of a closed listener: it loses it when its program
/// is loaded, and only a machine that is very busy makes that long.
const LET_GO: Duration = Duration::from_secs(5);

/// No port could be reserved.
#[derive(Debug, thiserror::Error)]
#[error("no free port on 127.0.0.1 between {FIRST} and {END}: stop labs that are no longer needed (`jiyun-lab down`)")]
pub struct NoFreePort;

/// A port on 127.0.0.1 reserved for one server of one lab, for as long as this value lives.
///
/// Two things guard it: an abstract socket name shared by all labs of this network namespace, which the kernel frees
/// when the process ends however it ends; and, until the server starts, a listener on the port itself.
#[derive(Debug)]
pub struct Port {
    number: u16,
    holder: Mutex<Option<TcpListener>>,
    _reservation: UnixDatagram,
}

impl Port {
    /// Reserves a port and holds it until [`Port::hand_over`].
    pub fn reserve() -> Result<Self, NoFreePort> {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        let span = END - FIRST;
        // Labs of different processes begin at different places, so they seldom try the same port.
        let start = u16::try_from(std::process::id().wrapping_mul(97) % u32::from(span)).unwrap_or(0);
        for _ in 0..span {
            let step = NEXT.fetch_add(1, Ordering::Relaxed) % span;
            let offset = (u32::from(start) + u32::from(step)) % u32::from(span);
            let number = FIRST + u16::try_from(offset).unwrap_or(0);
            if let Some(port) = Self::try_reserve(number) {
                return Ok(port);
            }
        }
        Err(NoFreePort)
    }

    fn try_reserve(number: u16) -> Option<Self> {
        let name = SocketAddr::from_abstract_name(format!("jiyun-lab-port-{number}")).ok()?;
        let reservation = UnixDatagram::bind_addr(&name).ok()?;
        let holder = TcpListener::bind((Ipv4Addr::LOCALHOST, number)).ok()?;
        Some(Self { number, holder: Mutex::new(Some(holder)), _reservation: reservation })
    }

    /// The port's number.
    pub fn number(&self) -> u16 {
        self.number
    }

    /// `127.0.0.1:<port>`
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.number)
    }

    /// `https://127.0.0.1:<port>`
    pub fn https(&self) -> String {
        format!("https://127.0.0.1:{}", self.number)
    }

    /// The listener that held it, for a server of this process: nothing comes between its choice and its use. `None` once
    /// it was given away.
    pub fn listener(&self) -> Option<TcpListener> {
        self.holder.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Closes the holding listener, so that the server about to start can bind the port. The reservation among labs stays.
    ///
    /// A child that another thread starts at this moment has a copy of the listener until its program is loaded, and as
    /// long as it has, nobody can bind the port: this waits until nothing listens.
    pub fn hand_over(&self) {
        if self.listener().is_none() {
            return;
        }
        let address = net::SocketAddr::from((Ipv4Addr::LOCALHOST, self.number));
        let deadline = Instant::now() + LET_GO;
        // Asked by connecting: another listener, bound to find out, could itself be copied.
        let refused = |error: io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
        while !TcpStream::connect_timeout(&address, LET_GO).is_err_and(refused) && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Whether something listens on the port, on any loopback address.
pub fn in_use(number: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, number)).is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserved_port_is_not_given_twice() {
        let first = Port::reserve().expect("a port is free");
        assert!(Port::try_reserve(first.number()).is_none());
    }

    #[test]
    fn a_handed_over_port_can_be_bound_but_not_reserved_again() {
        let port = Port::reserve().expect("a port is free");
        port.hand_over();
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, port.number())).expect("the server can bind");
        assert!(in_use(port.number()));
        drop(server);
        assert!(Port::try_reserve(port.number()).is_none());
    }

    #[test]
    fn a_port_whose_listener_a_starting_child_still_holds_is_handed_over_once_it_let_go() {
        let port = Port::reserve().expect("a port is free");
        let copy = port.holder.lock().expect("nobody panicked").as_ref().map(|held| held.try_clone().expect("a copy"));
        let child = thread::spawn(move || {
            thread::sleep(Duration::from_millis(100));
            drop(copy);
        });
        port.hand_over();
        TcpListener::bind((Ipv4Addr::LOCALHOST, port.number())).expect("the server can bind");
        child.join().expect("the child ends");
    }

    #[test]
    fn a_server_of_this_process_takes_the_listener_that_held_its_port() {
        let port = Port::reserve().expect("a port is free");
        let listener = port.listener().expect("it is held");
        assert_eq!(listener.local_addr().expect("it has an address").port(), port.number());
        assert!(port.listener().is_none());
        assert!(in_use(port.number()));
    }

    #[test]
    fn a_port_on_which_another_program_listens_is_not_given() {
        let other = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let number = other.local_addr().expect("it has an address").port();
        assert!(Port::try_reserve(number).is_none());
    }

    #[test]
    fn a_dropped_port_is_free_again() {
        let port = Port::reserve().expect("a port is free");
        let number = port.number();
        drop(port);
        assert!(Port::try_reserve(number).is_some());
    }
}

//! A mail relay that speaks SMTP (RFC 5321) on a socket, keeps what it takes, and refuses whom it is told to.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use data_encoding::BASE64;
use rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader, split},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;

use super::Letter;

#[derive(Default)]
struct Kept {
    letters: Vec<Letter>,
    refused: BTreeSet<String>,
    busy: bool,
    tries: usize,
}

/// What a relay does about encryption.
#[derive(Clone)]
enum Encryption {
    /// Nothing.
    None,
    /// All of it, from the first byte on.
    Implicit(TlsAcceptor),
    /// It hears nobody before they ask for it.
    StartTls(TlsAcceptor),
}

/// See the module. Dropping it closes the door.
pub struct Relay {
    address: SocketAddr,
    kept: Arc<Mutex<Kept>>,
    serving: JoinHandle<()>,
}

impl Relay {
    /// Opens at a port that is free. With `sign_in`, a name and a password, nobody is heard who does not give them.
    ///
    /// # Errors
    /// When there is none.
    pub async fn open(sign_in: Option<(&str, &str)>) -> std::io::Result<Self> {
        Self::start(sign_in, Encryption::None).await
    }

    /// Opens a relay called `localhost` that is encrypted, from the first byte on or (`later`) when it is asked to; gives its
    /// certificate (PEM).
    ///
    /// # Errors
    /// When there is no port, or no certificate can be made.
    pub async fn encrypted(later: bool) -> std::io::Result<(Self, String)> {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).map_err(std::io::Error::other)?;
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).map_err(std::io::Error::other)?;
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(std::io::Error::other)?
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .map_err(std::io::Error::other)?;
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let encryption = if later { Encryption::StartTls(acceptor) } else { Encryption::Implicit(acceptor) };
        Ok((Self::start(None, encryption).await?, made.cert.pem()))
    }

    async fn start(sign_in: Option<(&str, &str)>, encryption: Encryption) -> std::io::Result<Self> {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
        let address = listener.local_addr()?;
        let kept = Arc::<Mutex<Kept>>::default();
        let expected = sign_in.map(|(name, password)| BASE64.encode(format!("\0{name}\0{password}").as_bytes()));
        let shared = Arc::clone(&kept);
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (kept, expected, encryption) = (Arc::clone(&shared), expected.clone(), encryption.clone());
                // Whoever hangs up in the middle has sent nothing.
                tokio::spawn(async move { meet(stream, encryption, &kept, expected.as_deref()).await.ok() });
            }
        });
        Ok(Self { address, kept, serving })
    }

    /// Its port on this machine.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// What it took, in the order in which it came.
    pub fn letters(&self) -> Vec<Letter> {
        lock(&self.kept).letters.clone()
    }

    /// What it took for `address`.
    pub fn letters_to(&self, address: &str) -> Vec<Letter> {
        self.letters().into_iter().filter(|letter| letter.to.iter().any(|to| to == address)).collect()
    }

    /// How often somebody tried to write to anybody.
    pub fn tries(&self) -> usize {
        lock(&self.kept).tries
    }

    /// Knows no mailbox of this address.
    pub fn refuse(&self, address: &str) {
        lock(&self.kept).refused.insert(address.to_owned());
    }

    /// Takes nothing for now (451), or takes letters again.
    pub fn set_busy(&self, busy: bool) {
        lock(&self.kept).busy = busy;
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn lock(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The address between the brackets of `MAIL FROM:<...>`.
fn bracketed(line: &str) -> String {
    line.split(['<', '>']).nth(1).unwrap_or_default().to_owned()
}

const GREETING: &[u8] = b"220 relay.example.gov.cn ESMTP\r\n";

async fn meet(
    mut stream: TcpStream,
    encryption: Encryption,
    kept: &Mutex<Kept>,
    expected: Option<&str>,
) -> std::io::Result<()> {
    match encryption {
        Encryption::None => {
            stream.write_all(GREETING).await?;
            talk(stream, kept, expected).await
        }
        Encryption::Implicit(acceptor) => {
            let mut stream = acceptor.accept(stream).await?;
            stream.write_all(GREETING).await?;
            talk(stream, kept, expected).await
        }
        Encryption::StartTls(acceptor) => {
            stream.write_all(GREETING).await?;
            let mut lines = BufReader::new(stream);
            loop {
                let mut line = String::new();
                if lines.read_line(&mut line).await? == 0 {
                    return Ok(());
                }
                let answer: &[u8] = match line.split([' ', '\r']).next().unwrap_or_default() {
                    "EHLO" => b"250-relay.example.gov.cn\r\n250 STARTTLS\r\n",
                    "STARTTLS" => {
                        lines.get_mut().write_all(b"220 go on\r\n").await?;
                        return talk(acceptor.accept(lines.into_inner()).await?, kept, expected).await;
                    }
                    _ => b"530 encrypt first\r\n",
                };
                lines.get_mut().write_all(answer).await?;
            }
        }
    }
}

async fn talk(stream: impl AsyncRead + AsyncWrite, kept: &Mutex<Kept>, expected: Option<&str>) -> std::io::Result<()> {
    let (read, mut write) = split(stream);
    let mut lines = BufReader::new(read);
    let (mut from, mut to, mut known) = (String::new(), Vec::new(), expected.is_none());
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let line = line.trim_end();
        let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
        let answer = match verb.as_str() {
            "EHLO" => "250-relay.example.gov.cn\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 AUTH PLAIN",
            "AUTH" => {
                known = expected.is_some_and(|expected| line.ends_with(expected));
                if known { "235 signed in" } else { "535 wrong name or password" }
            }
            "MAIL" if !known => "530 sign in first",
            "MAIL" => {
                lock(kept).tries += 1;
                (from, to) = (bracketed(line), Vec::new());
                if lock(kept).busy { "451 busy" } else { "250 ok" }
            }
            "RCPT" if lock(kept).refused.contains(&bracketed(line)) => "550 5.1.1 no such mailbox",
            "RCPT" => {
                to.push(bracketed(line));
                "250 ok"
            }
            "DATA" => {
                write.write_all(b"354 go on\r\n").await?;
                let data = letter(&mut lines).await?;
                lock(kept).letters.push(Letter { from: from.clone(), to: to.clone(), data });
                "250 taken"
            }
            "QUIT" => {
                write.write_all(b"221 bye\r\n").await?;
                return Ok(());
            }
            "NOOP" | "RSET" => "250 ok",
            _ => "502 not known here",
        };
        write.write_all(format!("{answer}\r\n").as_bytes()).await?;
    }
}

/// What follows `DATA`, up to the line with nothing but a dot; a dot that was doubled is one.
async fn letter(lines: &mut (impl AsyncBufReadExt + Unpin)) -> std::io::Result<String> {
    let mut data = String::new();
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        match line.as_str() {
            ".\r\n" => return Ok(data),
            line => data.push_str(line.strip_prefix('.').unwrap_or(line)),
        }
    }
}

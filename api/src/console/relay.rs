//! Frames from one side to the other, until one of them ends it.

use std::{
    io::ErrorKind,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use futures::{Sink, SinkExt, Stream, StreamExt};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, Interval, MissedTickBehavior, interval_at, sleep_until, timeout},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Bytes, Error, Message, error::ProtocolError},
};

use super::Ending;

/// How often a side is asked whether it still lives: below what proxies between us take for idleness (60 s).
const BEAT: Duration = Duration::from_secs(30);

/// How long a side may give no sign of life: two questions without an answer, and the time until the third.
const LOST: Duration = Duration::from_secs(90);

/// How long one side may not take what the other sends.
const PATIENCE: Duration = Duration::from_secs(30);

/// What went over a console: amounts and moments, nothing of what it was.
#[derive(Debug)]
pub struct Traffic {
    began: Instant,
    typed: AtomicU64,
    typed_at: AtomicU64,
    heard_at: AtomicU64,
    answered_at: AtomicU64,
    shown: AtomicU64,
}

impl Traffic {
    /// Nothing yet.
    pub fn new() -> Self {
        let zero = AtomicU64::default;
        Self {
            began: Instant::now(),
            typed: zero(),
            typed_at: zero(),
            heard_at: zero(),
            answered_at: zero(),
            shown: zero(),
        }
    }

    /// Bytes the caller sent.
    pub fn typed(&self) -> u64 {
        self.typed.load(Ordering::Relaxed)
    }

    /// Bytes the machine sent.
    pub fn shown(&self) -> u64 {
        self.shown.load(Ordering::Relaxed)
    }

    /// How long it is open.
    pub fn open_for(&self) -> Duration {
        self.began.elapsed()
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn heard(&self) {
        self.heard_at.store(self.now(), Ordering::Relaxed);
    }

    fn answered(&self) {
        self.answered_at.store(self.now(), Ordering::Relaxed);
    }

    fn note_typed(&self, data: &Bytes) {
        self.typed.fetch_add(amount(data), Ordering::Relaxed);
        self.typed_at.store(self.now(), Ordering::Relaxed);
    }

    fn showing(&self, data: Bytes) -> Message {
        self.shown.fetch_add(amount(&data), Ordering::Relaxed);
        Message::Binary(data)
    }

    fn since(&self, moment: &AtomicU64) -> Instant {
        self.began + Duration::from_millis(moment.load(Ordering::Relaxed))
    }
}

fn amount(data: &Bytes) -> u64 {
    u64::try_from(data.len()).unwrap_or(u64::MAX)
}

/// Returns once nothing was typed for `idle`.
pub async fn idle(traffic: &Traffic, idle: Duration) {
    loop {
        let due = traffic.since(&traffic.typed_at) + idle;
        if due <= Instant::now() {
            return;
        }
        sleep_until(due).await;
    }
}

/// A side of a console.
pub trait Side: Stream<Item = Result<Message, Error>> + Sink<Message, Error = Error> + Unpin + Send {
    /// Reads what is no frame any more to its end, and throws it away: unread, it would cut the connection before the other end
    /// has read what it was told last.
    fn discard(&mut self) -> impl Future<Output = ()> + Send;
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Side for WebSocketStream<S> {
    async fn discard(&mut self) {
        drop(tokio::io::copy(self.get_mut(), &mut tokio::io::sink()).await);
    }
}

/// Passes on what comes, both ways at once: neither waits for the other, so that none of them can hold up both.
pub async fn relay(caller: &mut impl Side, machine: &mut impl Side, traffic: &Traffic) -> Ending {
    let (to_caller, from_caller) = caller.split();
    let (to_machine, from_machine) = machine.split();
    tokio::select! {
        ending = typed(from_caller, to_machine, traffic) => ending,
        ending = shown(from_machine, to_caller, traffic) => ending,
    }
}

/// From the caller to the machine. Text is taken as its bytes: some programs send what is typed so.
async fn typed(
    mut caller: impl Stream<Item = Result<Message, Error>> + Unpin,
    mut machine: impl Sink<Message, Error = Error> + Unpin,
    traffic: &Traffic,
) -> Ending {
    let mut beat = beat();
    loop {
        let frame = tokio::select! {
            frame = caller.next() => frame,
            _ = beat.tick() => {
                if traffic.since(&traffic.answered_at).elapsed() >= LOST || !passed(&mut machine, PING).await {
                    return Ending::ClosedByMachine;
                }
                continue;
            }
        };
        traffic.heard();
        let Some(frame) = frame else { return Ending::ClosedByCaller };
        let data = match frame {
            Ok(Message::Binary(data)) => data,
            Ok(Message::Text(text)) => text.into(),
            Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => continue,
            // One that goes without a closing frame is a protocol error to the library, and everyday life to us: programs are ended.
            Ok(Message::Close(_)) | Err(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)) => {
                return Ending::ClosedByCaller;
            }
            // The same over TLS, whose end programs that are ended do not announce either.
            Err(Error::Io(error)) if error.kind() == ErrorKind::UnexpectedEof => return Ending::ClosedByCaller,
            Err(Error::Protocol(_) | Error::Capacity(_) | Error::Utf8(_)) => return Ending::NoFrames,
            Err(_) => return Ending::CallerLost,
        };
        // Nothing is no typing.
        if data.is_empty() {
            continue;
        }
        traffic.note_typed(&data);
        if !passed(&mut machine, Message::Binary(data)).await {
            return Ending::ClosedByMachine;
        }
    }
}

/// What asks a side whether it still lives.
const PING: Message = Message::Ping(Bytes::new());

fn beat() -> Interval {
    let mut beat = interval_at(Instant::now() + BEAT, BEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    beat
}

/// Whether a side took it in time.
async fn passed(side: &mut (impl Sink<Message, Error = Error> + Unpin), frame: Message) -> bool {
    matches!(timeout(PATIENCE, side.send(frame)).await, Ok(Ok(())))
}

/// From the machine to the caller, who is asked now and then whether it is still there.
async fn shown(
    mut machine: impl Stream<Item = Result<Message, Error>> + Unpin,
    mut caller: impl Sink<Message, Error = Error> + Unpin,
    traffic: &Traffic,
) -> Ending {
    let mut beat = beat();
    loop {
        let frame = tokio::select! {
            frame = machine.next() => {
                traffic.answered();
                match frame {
                    Some(Ok(Message::Binary(data))) => traffic.showing(data),
                    Some(Ok(Message::Text(text))) => traffic.showing(text.into()),
                    Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => continue,
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return Ending::ClosedByMachine,
                }
            }
            _ = beat.tick() => {
                if traffic.since(&traffic.heard_at).elapsed() >= LOST {
                    return Ending::CallerLost;
                }
                PING
            }
        };
        if !passed(&mut caller, frame).await {
            return Ending::CallerLost;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        pin::Pin,
        task::{Context, Poll},
    };

    use futures::channel::mpsc;

    use super::*;

    /// One side of a console: what comes from it, and what goes to it. Sending waits while nobody takes it.
    struct Ends {
        comes: mpsc::UnboundedReceiver<Result<Message, Error>>,
        goes: mpsc::Sender<Message>,
    }

    /// What a test holds of that side.
    struct Held {
        send: mpsc::UnboundedSender<Result<Message, Error>>,
        taken: mpsc::Receiver<Message>,
    }

    fn side() -> (Ends, Held) {
        let ((send, comes), (goes, taken)) = (mpsc::unbounded(), mpsc::channel(0));
        (Ends { comes, goes }, Held { send, taken })
    }

    impl Side for Ends {
        async fn discard(&mut self) {}
    }

    impl Stream for Ends {
        type Item = Result<Message, Error>;

        fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
            Pin::new(&mut self.comes).poll_next(context)
        }
    }

    impl Sink<Message> for Ends {
        type Error = Error;

        fn poll_ready(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
            Pin::new(&mut self.goes).poll_ready(context).map_err(|_| Error::AlreadyClosed)
        }

        fn start_send(mut self: Pin<&mut Self>, frame: Message) -> Result<(), Error> {
            Pin::new(&mut self.goes).start_send(frame).map_err(|_| Error::AlreadyClosed)
        }

        fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
            Pin::new(&mut self.goes).poll_flush(context).map_err(|_| Error::AlreadyClosed)
        }

        fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
            Poll::Ready(Ok(()))
        }
    }

    fn binary(text: &'static str) -> Message {
        Message::Binary(Bytes::from_static(text.as_bytes()))
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_typed_reaches_the_machine_as_bytes_and_what_is_shown_the_caller_and_both_are_counted() {
        let ((mut caller, mut person), (mut machine, mut guest)) = (side(), side());
        let traffic = Traffic::new();
        let scene = async {
            person.send.unbounded_send(Ok(Message::text("ls\n"))).unwrap();
            assert_eq!(guest.taken.next().await, Some(binary("ls\n")));
            guest.send.unbounded_send(Ok(binary("motd"))).unwrap();
            assert_eq!(person.taken.next().await, Some(binary("motd")));
            person.send.unbounded_send(Ok(binary(""))).unwrap();
            person.send.unbounded_send(Ok(Message::Close(None))).unwrap();
            std::future::pending::<()>().await;
        };
        let ending = tokio::select! { ending = relay(&mut caller, &mut machine, &traffic) => ending, () = scene => unreachable!() };
        assert_eq!((ending, traffic.typed(), traffic.shown()), (Ending::ClosedByCaller, 3, 4));
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_who_takes_nothing_does_not_hold_up_what_others_type_and_is_lost_after_a_while() {
        let ((mut caller, person), (mut machine, mut guest)) = (side(), side());
        let traffic = Traffic::new();
        for _ in 0..8 {
            guest.send.unbounded_send(Ok(binary("flood"))).unwrap();
        }
        let scene = async {
            person.send.unbounded_send(Ok(binary("x"))).unwrap();
            assert_eq!(guest.taken.next().await, Some(binary("x")), "typing goes on");
            std::future::pending::<()>().await;
        };
        let began = Instant::now();
        let ending = tokio::select! { ending = relay(&mut caller, &mut machine, &traffic) => ending, () = scene => unreachable!() };
        assert_eq!((ending, began.elapsed()), (Ending::CallerLost, PATIENCE));
    }

    /// Answers questions of one side, or does not.
    async fn answering(mut held: Held, answers: bool) {
        while let Some(frame) = held.taken.next().await {
            assert_eq!(frame, PING);
            if answers {
                held.send.unbounded_send(Ok(Message::Pong(Bytes::new()))).unwrap();
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_side_that_gives_no_sign_of_life_is_lost_and_one_that_answers_is_not() {
        for (person_answers, machine_answers, lost) in
            [(true, true, None), (false, true, Some(Ending::CallerLost)), (true, false, Some(Ending::ClosedByMachine))]
        {
            let ((mut caller, person), (mut machine, guest)) = (side(), side());
            let traffic = Traffic::new();
            let began = Instant::now();
            let ended = timeout(Duration::from_mins(10), async {
                tokio::select! {
                    ending = relay(&mut caller, &mut machine, &traffic) => ending,
                    _ = async { tokio::join!(answering(person, person_answers), answering(guest, machine_answers)) } => unreachable!(),
                }
            });
            assert_eq!(ended.await.ok(), lost);
            assert_eq!(began.elapsed(), if lost.is_some() { LOST } else { Duration::from_mins(10) });
        }
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_types_is_not_idle_and_signs_of_life_are_no_typing() {
        let traffic = Traffic::new();
        let began = Instant::now();
        let typist = async {
            for _ in 0..5 {
                tokio::time::sleep(Duration::from_secs(10)).await;
                traffic.note_typed(&Bytes::from_static(b"x"));
            }
            loop {
                tokio::time::sleep(Duration::from_secs(1)).await;
                traffic.heard();
            }
        };
        tokio::select! { () = idle(&traffic, Duration::from_secs(15)) => {}, () = typist => unreachable!() }
        assert_eq!(began.elapsed().as_secs(), 65);
    }
}

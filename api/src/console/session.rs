//! One open console: what it is ended by, and how both sides are told.

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use jiyun_messages::Language;
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::CancellationToken;

use super::{
    Ending, Limits,
    relay::{Side, Traffic, idle, relay},
};

/// How long a side may take to be told that it is over.
const FAREWELL: Duration = Duration::from_secs(2);

/// How long nobody may be able to say whether the caller still has the right: an outage is no reason to lose a console, and whoever
/// could make one would never lose theirs.
const UNANSWERED: Duration = Duration::from_mins(10);

/// Whether a caller may still have the console they opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// They may.
    Held,
    /// They may not.
    Lost,
    /// Nobody can say now.
    Unknown,
}

/// What says so.
pub trait Rights {
    /// Asks.
    fn stand(&self) -> impl Future<Output = Standing> + Send;
}

/// What an open console is bound to.
#[derive(Debug)]
pub struct Session<R> {
    /// When it ends by itself.
    pub limits: Limits,
    /// What its caller reads.
    pub language: Language,
    /// Whether its caller may still have it.
    pub rights: R,
    /// Cancelled when the program ends.
    pub stopping: CancellationToken,
}

/// How it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Course {
    /// Why it ended.
    pub ending: Ending,
    /// How long it was open.
    pub open_for: Duration,
    /// Bytes from the caller.
    pub typed: u64,
    /// Bytes from the machine.
    pub shown: u64,
}

impl Course {
    /// Of one whose caller was gone before it began.
    pub const NEVER_TAKEN: Self = Self { ending: Ending::CallerLost, open_for: Duration::ZERO, typed: 0, shown: 0 };
    /// Of one whose end nobody saw: how long it was and what went over it is not known.
    pub const BROKEN_OFF: Self = Self { ending: Ending::BrokenOff, ..Self::NEVER_TAKEN };
}

impl<R: Rights> Session<R> {
    /// Until one of them ends it, or it has to end.
    pub async fn run(&self, mut caller: impl Side, mut machine: impl Side) -> Course {
        let traffic = Traffic::new();
        let ending = tokio::select! {
            biased;
            () = self.stopping.cancelled() => Ending::Stopping,
            () = self.withdrawn() => Ending::Withdrawn,
            () = sleep(self.limits.longest) => Ending::TooLong,
            () = idle(&traffic, self.limits.idle) => Ending::Idle,
            ending = relay(&mut caller, &mut machine, &traffic) => ending,
        };
        let open_for = traffic.open_for();
        let frame = ending.frame(&self.limits, self.language);
        let to_caller = async {
            farewell(&mut caller, Message::Close(frame)).await;
            // What cannot be read as frames is still in the way of what it was told.
            if ending == Ending::NoFrames {
                drop(timeout(FAREWELL, caller.discard()).await);
            }
        };
        tokio::join!(to_caller, farewell(&mut machine, Message::Close(None)));
        Course { ending, open_for, typed: traffic.typed(), shown: traffic.shown() }
    }

    /// Returns once the caller may not have it any more, or nobody could say so for too long.
    async fn withdrawn(&self) {
        let mut answered = Instant::now();
        loop {
            sleep(self.limits.review).await;
            match self.rights.stand().await {
                Standing::Held => answered = Instant::now(),
                Standing::Lost => return,
                Standing::Unknown if answered.elapsed() >= UNANSWERED => {
                    tracing::warn!("a console is closed: nobody could say whether its caller still may");
                    return;
                }
                Standing::Unknown => tracing::info!("nobody can say whether the caller of a console still may"),
            }
        }
    }
}

/// Tells a side that it is over, and waits until it has heard: what it had sent and nobody has read would cut the connection
/// before that. One that has said so itself takes nothing more; it is read on, for the answer to what it said goes out with that.
async fn farewell(side: &mut impl Side, last: Message) {
    let told = async {
        drop(side.send(last).await);
        while let Some(Ok(_)) = side.next().await {}
    };
    // Whoever does not take it is gone; so is the connection, with its ends.
    drop(timeout(FAREWELL, told).await);
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::io::DuplexStream;
    use tokio_tungstenite::{
        WebSocketStream,
        tungstenite::{
            Bytes,
            protocol::{Role, frame::coding::CloseCode},
        },
    };

    use super::*;

    type Line = WebSocketStream<DuplexStream>;

    /// As they are unless somebody says otherwise.
    const LIMITS: Limits =
        Limits { idle: Duration::from_mins(15), longest: Duration::from_hours(8), review: Duration::from_secs(30) };

    /// A connection of two ends.
    async fn line() -> (Line, Line) {
        let (one, other) = tokio::io::duplex(4096);
        let server = WebSocketStream::from_raw_socket(one, Role::Server, Some(super::super::frames())).await;
        (server, WebSocketStream::from_raw_socket(other, Role::Client, None).await)
    }

    /// Rights that stand so many times, and what is said then.
    struct Stand(AtomicU32, Standing);

    impl Rights for Stand {
        async fn stand(&self) -> Standing {
            let left = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
            if left.is_ok_and(|left| left > 1) { Standing::Held } else { self.1 }
        }
    }

    fn session(times: u32) -> Session<Stand> {
        let (language, stopping) = (Language::English, CancellationToken::new());
        Session { limits: LIMITS, language, rights: Stand(AtomicU32::new(times), Standing::Lost), stopping }
    }

    /// Lets `person` act on a session between two lines, and gives how it went and what the caller was told last.
    async fn acted<F>(session: Session<Stand>, act: impl FnOnce(Line, Line) -> F) -> (Course, Option<Message>)
    where
        F: Future<Output = Option<Message>>,
    {
        let ((caller, person), (guest, machine)) = (line().await, line().await);
        tokio::join!(session.run(caller, machine), act(person, guest))
    }

    /// Reads to the end; the last frame is given.
    async fn last(mut person: Line) -> Option<Message> {
        let mut last = None;
        while let Some(Ok(frame)) = person.next().await {
            last = Some(frame);
        }
        last
    }

    fn told(frame: Option<Message>) -> (CloseCode, String) {
        let Some(Message::Close(Some(frame))) = frame else { panic!("no reason: {frame:?}") };
        (frame.code, frame.reason.to_string())
    }

    #[tokio::test(start_paused = true)]
    async fn a_console_nobody_types_in_is_closed_and_says_so() {
        let (course, frame) = acted(session(u32::MAX), |person, guest| async move {
            let guest = tokio::spawn(last(guest));
            let said = last(person).await;
            drop(guest.await);
            said
        })
        .await;
        assert_eq!((course.ending, course.open_for.as_secs()), (Ending::Idle, 15 * 60));
        let (code, reason) = told(frame);
        assert_eq!(code, CloseCode::Policy);
        assert!(reason.contains("15 minutes"), "{reason}");
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_types_all_day_is_closed_after_the_longest_time_and_whoever_loses_the_right_at_the_next_look() {
        for (times, then, ending, after) in [
            (u32::MAX, Standing::Held, Ending::TooLong, 8 * 3600),
            (3, Standing::Lost, Ending::Withdrawn, 90),
            // Nobody can say after the second look, for ten minutes.
            (3, Standing::Unknown, Ending::Withdrawn, 60 + 600),
        ] {
            let began = Instant::now();
            let session = Session { rights: Stand(AtomicU32::new(times), then), ..session(times) };
            let (course, frame) = acted(session, |mut person, guest| async move {
                let guest = tokio::spawn(last(guest));
                let frame = loop {
                    tokio::select! {
                        frame = person.next() => match frame {
                            Some(Ok(frame @ Message::Close(_))) => break Some(frame),
                            Some(Ok(_)) => {}
                            _ => break None,
                        },
                        () = sleep(Duration::from_secs(7)) => {
                            drop(person.send(Message::Binary(Bytes::from_static(b"x"))).await);
                        }
                    }
                };
                drop(person);
                assert!(matches!(guest.await, Ok(Some(Message::Close(_)))), "the machine's side is told, too");
                frame
            })
            .await;
            assert_eq!((course.ending, began.elapsed().as_secs()), (ending, after));
            assert!(course.typed > 0);
            assert_eq!(told(frame).0, CloseCode::Policy);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_program_that_ends_tells_the_caller_to_come_again() {
        let session = session(u32::MAX);
        session.stopping.cancel();
        let (course, frame) = acted(session, |person, guest| async move {
            let said = last(person).await;
            drop(guest);
            said
        })
        .await;
        assert_eq!((course.ending, told(frame).0), (Ending::Stopping, CloseCode::Away));
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_sends_too_much_at_once_is_told_so_though_it_is_not_all_read() {
        let (course, frame) = acted(session(u32::MAX), |mut person, guest| async move {
            let guest = tokio::spawn(last(guest));
            // More than the line holds: what is not read of it is thrown away, so that sending comes to an end.
            let much = Message::Binary(vec![b'x'; 2 * 1024 * 1024].into());
            drop(person.send(much).await);
            let said = last(person).await;
            drop(guest.await);
            said
        })
        .await;
        assert_eq!((course.ending, told(frame).0), (Ending::NoFrames, CloseCode::Protocol));
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_closes_it_is_answered_at_once() {
        let began = Instant::now();
        let (course, answer) = acted(session(u32::MAX), |mut person, guest| async move {
            let guest = tokio::spawn(last(guest));
            person.send(Message::Close(None)).await.unwrap();
            let answer = last(person).await;
            drop(guest.await);
            answer
        })
        .await;
        assert_eq!((course.ending, began.elapsed()), (Ending::ClosedByCaller, Duration::ZERO));
        assert!(matches!(answer, Some(Message::Close(_))), "{answer:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_machine_that_closes_it_and_a_caller_who_is_gone_are_told_apart() {
        let (course, frame) = acted(session(u32::MAX), |person, mut guest| async move {
            drop(guest.close(None).await);
            let said = last(person).await;
            drop(guest);
            said
        })
        .await;
        assert_eq!((course.ending, told(frame).0), (Ending::ClosedByMachine, CloseCode::Normal));
        let (course, _) = acted(session(u32::MAX), |person, guest| async move {
            drop(person);
            last(guest).await
        })
        .await;
        assert_eq!(course.ending, Ending::ClosedByCaller, "programs are ended without a word every day");
    }
}

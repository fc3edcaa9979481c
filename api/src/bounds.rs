//! How much one caller may ask for, so that nobody is kept from being answered by somebody else's program.
//!
//! Two bounds lie over every request: that of its caller, who is told apart by token, and a wider one of the address it
//! came from, so that making up tokens is no way round. The caller's is asked first: what it refuses costs the address
//! nothing, and those who share the address are not made to pay for one of them.

mod asker;
mod rate;
mod under_way;

use std::{net::IpAddr, time::Duration};

use clap::Args;
use http::HeaderMap;

use self::rate::Rate;
pub use self::{
    asker::Asker,
    under_way::{Place, UnderWay},
};

/// How long to stay away where too much is under way: some of it is over within a second.
const UNDER_WAY_RETRY: Duration = Duration::from_secs(1);

/// The bounds, as the program is told them.
#[derive(Clone, Copy, Debug, Args)]
pub struct BoundOptions {
    /// Requests a second that one caller (one token) may go on sending; 0: any number.
    #[arg(long, value_name = "REQUESTS", default_value_t = 20)]
    pub caller_rate: u32,
    /// Requests that one caller may send at once after a pause.
    #[arg(long, value_name = "REQUESTS", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    pub caller_burst: u32,
    /// Requests of one caller under way at the same time, waiting for decisions included; 0: any number.
    #[arg(long, value_name = "REQUESTS", default_value_t = 64)]
    pub caller_under_way: u32,
    /// Requests a second from one address, of all its callers; 0: any number, as behind a proxy that hides addresses.
    #[arg(long, value_name = "REQUESTS", default_value_t = 400)]
    pub address_rate: u32,
    /// Requests from one address at once after a pause.
    #[arg(long, value_name = "REQUESTS", default_value_t = 1200, value_parser = clap::value_parser!(u32).range(1..))]
    pub address_burst: u32,
    /// Requests from one address under way at the same time; 0: any number.
    #[arg(long, value_name = "REQUESTS", default_value_t = 1024)]
    pub address_under_way: u32,
}

impl BoundOptions {
    /// No bounds at all.
    #[cfg(test)]
    pub const NONE: Self = Self {
        caller_rate: 0,
        caller_burst: 1,
        caller_under_way: 0,
        address_rate: 0,
        address_burst: 1,
        address_under_way: 0,
    };
}

/// Which bound was reached; its name in the figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Bound {
    /// Requests a second of one caller.
    CallerRate,
    /// Requests of one caller under way.
    CallerUnderWay,
    /// Requests a second from one address.
    AddressRate,
    /// Requests from one address under way.
    AddressUnderWay,
}

/// How long whoever asks too often waits for being told so. What is told at once is asked again at once, and a program that
/// does not read `Retry-After` would take the processor from everybody.
const PAUSE: Duration = Duration::from_millis(200);

/// A request that was one too many.
#[derive(Debug)]
pub struct TooMany {
    /// The bound it ran into.
    pub bound: Bound,
    /// How long to wait before the next one: above 0.
    pub wait: Duration,
    /// Its place among what is under way: so many of one caller's are told no with a pause, and not one more.
    place: Option<Place>,
}

impl TooMany {
    /// Lets it wait a little where it came too soon after others, so that those who do are not served the faster for it.
    pub async fn pause(self) {
        if matches!(self.bound, Bound::CallerRate | Bound::AddressRate) {
            tokio::time::sleep(PAUSE).await;
        }
        drop(self.place);
    }
}

/// The places of a request that is let in; they are given back when this is dropped.
#[derive(Debug)]
pub struct Admission {
    _caller: Option<Place>,
    _address: Option<Place>,
}

/// The bounds with what is counted against them; one for the life of the program.
#[derive(Debug)]
pub struct Bounds {
    caller: Side,
    address: Side,
}

/// One of the two bounds: a rate and a number under way, each of which may be off.
#[derive(Debug)]
struct Side {
    rate: Option<Rate>,
    under_way: Option<UnderWay>,
}

impl Bounds {
    /// With nothing counted yet.
    pub fn new(options: &BoundOptions) -> Self {
        let side = |rate, burst, under_way| Side {
            rate: Rate::new(rate, burst),
            under_way: (under_way > 0).then(|| UnderWay::new(under_way)),
        };
        Self {
            caller: side(options.caller_rate, options.caller_burst, options.caller_under_way),
            address: side(options.address_rate, options.address_burst, options.address_under_way),
        }
    }

    /// Lets a request with `headers` from `peer` in, or says which bound keeps it out.
    pub fn admit(&self, headers: &HeaderMap, peer: IpAddr) -> Result<Admission, TooMany> {
        let address = Asker::at(peer);
        let caller = Asker::with_token(headers).unwrap_or(address);
        Ok(Admission {
            _caller: self.caller.admit(caller, Bound::CallerUnderWay, Bound::CallerRate)?,
            _address: self.address.admit(address, Bound::AddressUnderWay, Bound::AddressRate)?,
        })
    }
}

impl Side {
    /// The place first: a request that finds none is not counted against the rate.
    fn admit(&self, asker: Asker, under_way: Bound, rate: Bound) -> Result<Option<Place>, TooMany> {
        let full = || TooMany { bound: under_way, wait: UNDER_WAY_RETRY, place: None };
        let place = self.under_way.as_ref().map(|counted| counted.take(asker).ok_or_else(full)).transpose()?;
        if let Some(Err(wait)) = self.rate.as_ref().map(|counted| counted.check(asker)) {
            return Err(TooMany { bound: rate, wait, place });
        }
        Ok(place)
    }
}

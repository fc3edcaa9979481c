//! The two programs that die, and how each is killed and brought back.

use jiyun_lab::Guest;
use jiyun_tests::{World, faults::lead::take_lead};

/// A program of the product.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Program {
    /// `jiyun-controller`.
    Controller,
    /// `jiyun-api`.
    Api,
}

/// What becomes of the lead of a controller that was killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lead {
    /// Its lease runs out by itself, ten seconds later.
    RunsOut,
    /// Its lease is taken away at once, so that forty deaths do not take seven minutes. For the next leader it is the
    /// same: the key of the lead is gone, and whatever the dead one still had under way is refused by the fence.
    IsTaken,
}

impl Program {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Controller, Self::Api];

    fn guest(self, world: &World) -> &Guest {
        match self {
            Self::Controller => &world.controller,
            Self::Api => &world.api,
        }
    }

    /// SIGKILL, and started again at once.
    pub async fn interrupt(self, world: &World, lead: Lead) {
        self.kill(world).await;
        self.revive(world, lead).await;
    }

    /// SIGKILL; the process is gone when this returns.
    pub async fn kill(self, world: &World) {
        self.guest(world).kill().await;
    }

    /// Starts it again and does not wait for what it does.
    pub async fn revive(self, world: &World, lead: Lead) {
        if (self, lead) == (Self::Controller, Lead::IsTaken) {
            take_lead(&world.lab).await.unwrap();
        }
        self.guest(world).restart().await.unwrap();
    }
}

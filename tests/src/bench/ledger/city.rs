//! A made-up city: departments in a tree of three levels with ceilings and floors, and six pools at two sites.

use std::collections::BTreeMap;

use jiyun_ledger::{
    Account, AccountId, AccountState, Command, Dimensions, Limit, Meter, Pool, PoolKind, PoolState, Preference,
};

/// The network zone everything is in.
pub const ZONE: &str = "extranet-public";
/// The tier of all storage.
pub const TIER: &str = "standard";
/// Processor architectures, a compute pool of each at either site.
pub const ARCHITECTURES: [&str; 2] = ["amd64", "arm64"];
/// Data centres.
const SITES: [&str; 2] = ["hengshan-main", "hengshan-east"];
/// Departments below one bureau, itself included.
const BUREAU: usize = 10;
/// MiB of memory and of storage for each core of a quota.
pub const MEMORY: u64 = 4096;
/// See [`MEMORY`].
pub const STORAGE: u64 = 10_240;

/// Accounts and pools.
#[derive(Clone, Debug)]
pub struct City {
    /// Those above before those below.
    accounts: Vec<Account>,
    departments: Vec<AccountId>,
    pools: Vec<Pool>,
}

/// How much there is.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Departments that ask: a tenth of them bureaus, the others offices below a bureau.
    pub departments: usize,
    /// Cores of one department's quota.
    pub cores: u64,
    /// What bureaus, the city and the pools have of the sum of what is below them, in percent.
    pub above: u64,
}

/// The share of its quota that every second office is guaranteed.
const FLOOR: u64 = 4;

impl City {
    /// The city of this shape.
    pub fn new(shape: Shape) -> Self {
        let Shape { departments, cores, above } = shape;
        let bureaus = departments.div_ceil(BUREAU).max(1);
        let part = |of: u64| of * above / 100;
        let units_of = |bureau: usize| (bureaus..departments).filter(move |office| office % bureaus == bureau);
        let floor_of = |office: usize| if office.is_multiple_of(2) { cores / FLOOR } else { 0 };
        let bureau_floor = |bureau: usize| units_of(bureau).map(floor_of).sum::<u64>();
        let bureau_quota = |bureau: usize| part(cores * (units_of(bureau).count() as u64 + 1));

        let quota = part((0..bureaus).map(bureau_quota).sum());
        let mut accounts = vec![account("city", None, quota, (0..bureaus).map(bureau_floor).sum())];
        for number in 0..departments {
            let name = format!("department-{number:03}");
            accounts.push(if number < bureaus {
                account(&name, Some("city"), bureau_quota(number), bureau_floor(number))
            } else {
                let parent = format!("department-{:03}", number % bureaus);
                account(&name, Some(&parent), cores, floor_of(number))
            });
        }
        let departments = accounts.iter().skip(1).map(|account| account.id.clone()).collect();
        Self { accounts, departments, pools: pools(quota) }
    }

    /// What makes it, in order.
    pub fn commands(&self) -> impl Iterator<Item = Command> {
        let pools = self.pools.iter().cloned().map(Command::SetPool);
        pools.chain(self.accounts.iter().cloned().map(Command::SetAccount))
    }

    /// How many departments ask.
    pub fn departments(&self) -> usize {
        self.departments.len()
    }

    /// The department of this number, counted round.
    pub fn department(&self, number: usize) -> AccountId {
        let chosen = self.departments.get(number % self.departments.len().max(1));
        chosen.cloned().unwrap_or_else(|| AccountId::new("city"))
    }
}

fn account(name: &str, parent: Option<&str>, cores: u64, floor: u64) -> Account {
    let limit =
        |meter, limit, guaranteed| Limit { meter, dimensions: Dimensions::default(), limit: Some(limit), guaranteed };
    Account {
        id: name.into(),
        display_name: format!("单位 {name}"),
        parent: parent.map(Into::into),
        billing_account: name.to_uppercase(),
        limits: vec![
            limit(Meter::Vcpu, cores, floor),
            limit(Meter::Memory, cores * MEMORY, 0),
            limit(Meter::BlockStorage, cores * STORAGE, 0),
        ],
        preference: Preference::default(),
        state: AccountState::Open,
    }
}

/// At either site a compute pool of either architecture and a storage pool; together about what the city may have.
fn pools(cores: u64) -> Vec<Pool> {
    let compute = cores / (SITES.len() * ARCHITECTURES.len()) as u64;
    let pool = |site: &str, kind, architecture: Option<&str>, capacity: BTreeMap<Meter, u64>| Pool {
        id: jiyun_ledger::PoolId::of(kind, &format!("{site}-{}", architecture.unwrap_or("disks"))),
        kind,
        site: site.to_owned(),
        zones: [ZONE.to_owned()].into(),
        architecture: architecture.map(str::to_owned),
        tier: (kind == PoolKind::Storage).then(|| TIER.to_owned()),
        provider: "made up".to_owned(),
        domestic: architecture == Some("arm64"),
        max_protection_level: 3,
        capacity,
        overcommit_percent: BTreeMap::new(),
        reserve: BTreeMap::new(),
        state: PoolState::Open,
    };
    let mut pools = Vec::new();
    for site in SITES {
        for architecture in ARCHITECTURES {
            let capacity = [(Meter::Vcpu, compute), (Meter::Memory, compute * MEMORY)].into();
            pools.push(pool(site, PoolKind::Compute, Some(architecture), capacity));
        }
        let disks = cores / SITES.len() as u64 * STORAGE;
        pools.push(pool(site, PoolKind::Storage, None, [(Meter::BlockStorage, disks)].into()));
    }
    pools
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::ledger::book::Book;

    #[test]
    fn two_hundred_departments_stand_in_three_levels_with_floors_that_fit() {
        let city = City::new(Shape { departments: 200, cores: 100, above: 99 });
        let book = Book::open(&city).unwrap();
        assert_eq!(city.departments(), 200);
        assert_eq!(book.state().pools().count(), 6);
        let depth = |number| book.state().path(&city.department(number)).unwrap().len();
        assert_eq!((depth(0), depth(19), depth(20), depth(199)), (2, 2, 3, 3));
        let office = book.state().account(&city.department(20)).unwrap();
        assert_eq!((office.limits[0].limit, office.limits[0].guaranteed), (Some(100), 25));
        let bureau = book.state().account(&city.department(0)).unwrap();
        assert_eq!((bureau.limits[0].limit, bureau.limits[0].guaranteed), (Some(990), 9 * 25));
    }
}

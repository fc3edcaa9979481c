//! The tree of accounts, and what a tree uses, would use if every floor in it were used, and so keeps free.

use std::collections::BTreeMap;

use crate::{
    entry::{Account, Limit},
    kind::{Facts, Kind},
    meter::Meter,
    sheet::{Amount, Own},
};

/// The most accounts from leaf to root.
pub(crate) const MOST_LEVELS: usize = 16;

/// One account with what its own claims take.
#[derive(Clone, Debug, Default)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) parent: Option<usize>,
    pub(crate) children: Vec<usize>,
    pub(crate) limits: Vec<Limit>,
    pub(crate) closed: bool,
    pub(crate) own: Own,
}

impl Node {
    /// Its floors above zero; a closed account has none.
    pub(crate) fn floors(&self) -> impl Iterator<Item = &Limit> {
        self.limits.iter().filter(|limit| limit.guaranteed > 0 && !self.closed)
    }

    /// Its floor for exactly this meter and selector.
    pub(crate) fn floor(&self, meter: Meter, of: &Kind) -> u128 {
        let same = self.floors().filter(|floor| floor.meter == meter && floor.dimensions == *of);
        same.map(|floor| u128::from(floor.guaranteed)).sum()
    }
}

/// What a tree uses, and what it would use if it used all its floors.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Demand {
    pub(crate) used: u128,
    pub(crate) demand: u128,
}

impl Demand {
    pub(crate) const fn kept_free(self) -> u128 {
        self.demand.saturating_sub(self.used)
    }
}

/// All accounts, numbered as they come.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tree {
    pub(crate) nodes: Vec<Node>,
    numbers: BTreeMap<String, usize>,
}

impl Tree {
    pub(crate) fn number(&self, name: &str) -> Option<usize> {
        self.numbers.get(name).copied()
    }

    pub(crate) fn node(&self, number: usize) -> Option<&Node> {
        self.nodes.get(number)
    }

    pub(crate) fn name(&self, number: usize) -> &str {
        self.nodes.get(number).map_or("", |node| &node.name)
    }

    /// The number of `name`, which is entered as a root without limits where it is not known.
    pub(crate) fn enter(&mut self, name: &str) -> usize {
        if let Some(number) = self.number(name) {
            return number;
        }
        self.numbers.insert(name.to_owned(), self.nodes.len());
        self.nodes.push(Node { name: name.to_owned(), ..Node::default() });
        self.nodes.len() - 1
    }

    /// Sets an account, below `parent`; the lists of children are made anew.
    pub(crate) fn set(&mut self, account: &Account, parent: Option<usize>) {
        let number = self.enter(&account.id);
        if let Some(node) = self.nodes.get_mut(number) {
            node.parent = parent;
            node.limits.clone_from(&account.limits);
            node.closed = account.state == "Closed";
        }
        let parents: Vec<_> = self.nodes.iter().map(|node| node.parent).collect();
        self.nodes.iter_mut().for_each(|node| node.children.clear());
        for (child, parent) in parents.into_iter().enumerate() {
            if let Some(parent) = parent.and_then(|parent| self.nodes.get_mut(parent)) {
                parent.children.push(child);
            }
        }
    }

    /// The account and those above it, leaf first. Ends where it would go round.
    pub(crate) fn path(&self, leaf: usize) -> Vec<usize> {
        let mut path = Vec::new();
        let mut next = Some(leaf);
        while let Some(number) = next.filter(|number| !path.contains(number)) {
            path.push(number);
            next = self.nodes.get(number).and_then(|node| node.parent);
        }
        path
    }

    /// How many levels the tree below and including `number` has.
    pub(crate) fn height(&self, number: usize) -> usize {
        let children = self.nodes.get(number).map(|node| node.children.as_slice()).unwrap_or_default();
        1 + children.iter().map(|child| self.height(*child)).max().unwrap_or(0)
    }

    /// What an account and all below it hold and use of the facts that are selected.
    pub(crate) fn tree_use(&self, number: usize, facts: &[bool]) -> Amount {
        let Some(node) = self.nodes.get(number) else { return Amount::default() };
        node.children.iter().fold(node.own.sheet.selected(facts), |sum, child| {
            let below = self.tree_use(*child, facts);
            Amount { held: sum.held + below.held, used: sum.used + below.used }
        })
    }

    /// What a tree uses of a floor's meter and kind, and what it would use if every such floor in it were used up:
    /// at each account the larger of its floor and of what it and those below it would use.
    pub(crate) fn demand(&self, number: usize, meter: Meter, of: &Kind, facts: &[bool]) -> Demand {
        let Some(node) = self.nodes.get(number) else { return Demand::default() };
        let own = node.own.sheet.selected(facts).total();
        let below = node.children.iter().map(|child| self.demand(*child, meter, of, facts));
        let sum = below.fold(Demand { used: own, demand: own }, |sum, child| Demand {
            used: sum.used + child.used,
            demand: sum.demand + child.demand,
        });
        Demand { used: sum.used, demand: sum.demand.max(node.floor(meter, of)) }
    }

    /// Every meter and selector some floor is for.
    pub(crate) fn floor_kinds(&self, meter: Meter) -> Vec<Kind> {
        let floors = self.nodes.iter().flat_map(Node::floors).filter(|floor| floor.meter == meter);
        let mut kinds: Vec<Kind> = floors.map(|floor| floor.dimensions.clone()).collect();
        kinds.sort();
        kinds.dedup();
        kinds
    }

    /// What counts against a limit: the tree's use, and what is kept free for floors below that the limit covers.
    pub(crate) fn occupied(&self, facts: &Facts, number: usize, limit: &Limit, floors: &[Kind]) -> u128 {
        let used = self.tree_use(number, &facts.selected(limit.meter, &limit.dimensions)).total();
        let children = self.nodes.get(number).map(|node| node.children.as_slice()).unwrap_or_default();
        let kept = floors.iter().filter(|floor| limit.dimensions.selects(floor)).map(|floor| {
            let selected = facts.selected(limit.meter, floor);
            let units = children.iter().map(|unit| self.demand(*unit, limit.meter, floor, &selected).kept_free());
            units.sum::<u128>()
        });
        used + kept.sum::<u128>()
    }

    /// Everything kept free of `meter`, by floor, in all trees.
    pub(crate) fn kept_free(&self, facts: &Facts, meter: Meter) -> Vec<(Kind, u128)> {
        let kept = self.floor_kinds(meter).into_iter().map(|floor| {
            let selected = facts.selected(meter, &floor);
            let roots = self.nodes.iter().enumerate().filter(|(_, node)| node.parent.is_none());
            let sum = roots.map(|(root, _)| self.demand(root, meter, &floor, &selected).kept_free()).sum();
            (floor, sum)
        });
        kept.collect()
    }
}

//! The whole system on a real control plane: what departments, operations and finance see, and what happens when
//! programs die. One binary, one shared lab; tests keep apart by having departments of their own.

#[cfg(test)]
mod suite {
    mod access;
    mod account_book;
    mod bad_input;
    mod book;
    mod buckets;
    mod calendar;
    mod charts;
    mod city;
    mod consoles;
    mod contract;
    mod databases;
    mod deletion;
    mod docs;
    mod fault_points;
    mod faults;
    mod flows;
    mod given_cluster;
    mod handover;
    mod hostile;
    mod identity;
    mod images;
    mod interrupted;
    mod isolation;
    mod leases;
    mod manners;
    mod networks;
    mod notices;
    mod on_node;
    mod orders;
    mod outages;
    mod pools;
    mod resize;
    mod restored;
    mod rights;
    mod roles;
    mod schema;
    mod sites;
    mod snapshots;
    mod story;
    mod trail;
    mod tree;
    mod user_data;
    mod volumes;
}

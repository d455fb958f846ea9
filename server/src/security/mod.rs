//! Who may do what. Every API asks through `cx.allow(operation, resource)` from its first day.
//!
//! Today there is one rule: everyone may do everything, as Apache Kafka without an authorizer. The question is asked
//! everywhere all the same, because the holes of other brokers were almost always a question that nobody asked.
//! This module knows no wire format and no connection.

/// What is being done. The names are those of Kafka's ACLs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    Read,
    Write,
    Create,
    Delete,
    Describe,
    DescribeConfigs,
    AlterConfigs,
    ClusterAction,
    IdempotentWrite,
}

/// To what it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource<'a> {
    Cluster,
    Topic(&'a str),
    TransactionalId(&'a str),
    Group(&'a str),
}

/// Who asks: taken from the connection, never from a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    pub name: String,
}

impl Principal {
    /// A peer on a listener without authentication.
    pub fn anonymous() -> Self {
        Self { name: "ANONYMOUS".to_owned() }
    }
}

/// The rules in force.
#[derive(Debug, Default)]
pub struct Authorizer;

impl Authorizer {
    /// May `principal` do this? Without an authorizer configured, Kafka's answer is yes.
    pub fn allow(&self, _principal: &Principal, _operation: Operation, _resource: Resource<'_>) -> bool {
        true
    }

    /// The operations that a peer may do on a resource, as the bit field that Metadata and DescribeCluster carry.
    pub fn allowed_operations(&self, principal: &Principal, resource: Resource<'_>) -> i32 {
        let candidates = match resource {
            Resource::Cluster => CLUSTER_OPERATIONS,
            Resource::Group(_) => GROUP_OPERATIONS,
            _ => TOPIC_OPERATIONS,
        };
        // Without rules every operation is allowed; each still passes the one question above.
        if self.allow(principal, Operation::Describe, resource) { candidates } else { 0 }
    }
}

// Bit n is AclOperation n: Read 3, Write 4, Create 5, Delete 6, Alter 7, Describe 8, ClusterAction 9,
// DescribeConfigs 10, AlterConfigs 11, IdempotentWrite 12.
const TOPIC_OPERATIONS: i32 = 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 10 | 1 << 11;
const GROUP_OPERATIONS: i32 = 1 << 3 | 1 << 6 | 1 << 8 | 1 << 10 | 1 << 11;
const CLUSTER_OPERATIONS: i32 = 1 << 5 | 1 << 7 | 1 << 8 | 1 << 9 | 1 << 10 | 1 << 11 | 1 << 12;

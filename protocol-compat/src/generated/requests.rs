// Generated from the jars of Apache Kafka 4.3.1 by protocol-compat/generator. Do not edit.

// Produce.topic_data.partition_data 3-8
static S0: Struct = Struct { fields: &[Fixed(4), Blob(PlainNullable)], tags: None, memory_bytes: 64 };

// Produce.topic_data.partition_data 3-8
static A1: Array = Array { form: Plain, element: Inline(&S0), wire_bytes_min: 8, wire_is_fixed: false, memory_bytes: 64 };

// Produce.topic_data 3-8
static S2: Struct = Struct { fields: &[Text(Plain), Many(&A1)], tags: None, memory_bytes: 96 };

// Produce.topic_data 3-8
static A3: Array = Array { form: Plain, element: Inline(&S2), wire_bytes_min: 6, wire_is_fixed: false, memory_bytes: 96 };

// Produce 3-8
static S4: Struct = Struct { fields: &[Text(PlainNullable), Fixed(6), Many(&A3)], tags: None, memory_bytes: 88 };

// Produce.topic_data.partition_data 9-13
static S5: Struct = Struct { fields: &[Fixed(4), Blob(CompactNullable)], tags: Some(&[]), memory_bytes: 64 };

// Produce.topic_data.partition_data 9-13
static A6: Array = Array { form: Compact, element: Inline(&S5), wire_bytes_min: 6, wire_is_fixed: false, memory_bytes: 64 };

// Produce.topic_data 9-12
static S7: Struct = Struct { fields: &[Text(Compact), Many(&A6)], tags: Some(&[]), memory_bytes: 96 };

// Produce.topic_data 9-12
static A8: Array = Array { form: Compact, element: Inline(&S7), wire_bytes_min: 3, wire_is_fixed: false, memory_bytes: 96 };

// Produce 9-12
static S9: Struct = Struct { fields: &[Text(CompactNullable), Fixed(6), Many(&A8)], tags: Some(&[]), memory_bytes: 88 };

// Produce.topic_data 13
static S10: Struct = Struct { fields: &[Fixed(16), Many(&A6)], tags: Some(&[]), memory_bytes: 96 };

// Produce.topic_data 13
static A11: Array = Array { form: Compact, element: Inline(&S10), wire_bytes_min: 18, wire_is_fixed: false, memory_bytes: 96 };

// Produce 13
static S12: Struct = Struct { fields: &[Text(CompactNullable), Fixed(6), Many(&A11)], tags: Some(&[]), memory_bytes: 88 };

// Fetch.topics.partitions 4
static S13: Struct = Struct { fields: &[Fixed(16)], tags: None, memory_bytes: 80 };

// Fetch.topics.partitions 4
static A14: Array = Array { form: Plain, element: Inline(&S13), wire_bytes_min: 16, wire_is_fixed: true, memory_bytes: 80 };

// Fetch.topics 4
static S15: Struct = Struct { fields: &[Text(Plain), Many(&A14)], tags: None, memory_bytes: 96 };

// Fetch.topics 4
static A16: Array = Array { form: Plain, element: Inline(&S15), wire_bytes_min: 6, wire_is_fixed: false, memory_bytes: 96 };

// Fetch 4
static S17: Struct = Struct { fields: &[Fixed(17), Many(&A16)], tags: None, memory_bytes: 208 };

// Fetch.topics.partitions 5-8
static S18: Struct = Struct { fields: &[Fixed(24)], tags: None, memory_bytes: 80 };

// Fetch.topics.partitions 5-8
static A19: Array = Array { form: Plain, element: Inline(&S18), wire_bytes_min: 24, wire_is_fixed: true, memory_bytes: 80 };

// Fetch.topics 5-8
static S20: Struct = Struct { fields: &[Text(Plain), Many(&A19)], tags: None, memory_bytes: 96 };

// Fetch.topics 5-8
static A21: Array = Array { form: Plain, element: Inline(&S20), wire_bytes_min: 6, wire_is_fixed: false, memory_bytes: 96 };

// Fetch 5-6
static S22: Struct = Struct { fields: &[Fixed(17), Many(&A21)], tags: None, memory_bytes: 208 };

// Fetch.forgotten_topics_data.partitions 7-11, OffsetFetch.topics.partition_indexes 1-5, CreateTopics.topics.assignments.broker_ids 2-4, AddPartitionsToTxn.v3_and_below_topics.partitions 0-2 and 5 more
static A23: Array = Array { form: Plain, element: Fixed(4), wire_bytes_min: 4, wire_is_fixed: true, memory_bytes: 4 };

// Fetch.forgotten_topics_data 7-11
static S24: Struct = Struct { fields: &[Text(Plain), Many(&A23)], tags: None, memory_bytes: 96 };

// Fetch.forgotten_topics_data 7-11
static A25: Array = Array { form: Plain, element: Inline(&S24), wire_bytes_min: 6, wire_is_fixed: false, memory_bytes: 96 };

// Fetch 7-8
static S26: Struct = Struct { fields: &[Fixed(25), Many(&A21), Many(&A25)], tags: None, memory_bytes: 208 };

// Fetch.topics.partitions 9-11
static S27: Struct = Struct { fields: &[Fixed(28)], tags: None, memory_bytes: 80 };

// Fetch.topics.partitions 9-11
static A28: Array = Array { form: Plain, element: Inline(&S27), wire_bytes_min: 28, wire_is_fixed: true, memory_bytes: 80 };

// Fetch.topics 9-11
static S29: Struct = Struct { fields: &[Text(Plain), Many(&A28)], tags: None, memory_bytes: 96 };

// Fetch.topics 9-11
static A30: Array = Array { form: Plain, element: Inline(&S29), wire_bytes_min: 6, wire_is_fixed: false, memory_bytes: 96 };

// Fetch 9-10
static S31: Struct = Struct { fields: &[Fixed(25), Many(&A30), Many(&A25)], tags: None, memory_bytes: 208 };

// Fetch 11
static S32: Struct = Struct { fields: &[Fixed(25), Many(&A30), Many(&A25), Text(Plain)], tags: None, memory_bytes: 208 };

// Fetch.topics.partitions 12-16
static S33: Struct = Struct { fields: &[Fixed(32)], tags: Some(&[(0, NotInThisVersion), (1, NotInThisVersion)]), memory_bytes: 80 };

// Fetch.topics.partitions 12-16
static A34: Array = Array { form: Compact, element: Inline(&S33), wire_bytes_min: 33, wire_is_fixed: false, memory_bytes: 80 };

// Fetch.topics 12
static S35: Struct = Struct { fields: &[Text(Compact), Many(&A34)], tags: Some(&[]), memory_bytes: 96 };

// Fetch.topics 12
static A36: Array = Array { form: Compact, element: Inline(&S35), wire_bytes_min: 3, wire_is_fixed: false, memory_bytes: 96 };

// Fetch.forgotten_topics_data.partitions 12-18, OffsetFetch.topics.partition_indexes 6-7, OffsetFetch.groups.topics.partition_indexes 8-10, CreateTopics.topics.assignments.broker_ids 5-7 and 16 more
static A37: Array = Array { form: Compact, element: Fixed(4), wire_bytes_min: 4, wire_is_fixed: true, memory_bytes: 4 };

// Fetch.forgotten_topics_data 12, OffsetFetch.groups.topics 8-9
static S38: Struct = Struct { fields: &[Text(Compact), Many(&A37)], tags: Some(&[]), memory_bytes: 96 };

// Fetch.forgotten_topics_data 12
static A39: Array = Array { form: Compact, element: Inline(&S38), wire_bytes_min: 3, wire_is_fixed: false, memory_bytes: 96 };

// Fetch 12
static S40: Struct = Struct { fields: &[Fixed(25), Many(&A36), Many(&A39), Text(Compact)], tags: Some(&[(0, Text(CompactNullable)), (1, NotInThisVersion)]), memory_bytes: 208 };

// Fetch.topics 13-16
static S41: Struct = Struct { fields: &[Fixed(16), Many(&A34)], tags: Some(&[]), memory_bytes: 96 };

// Fetch.topics 13-16
static A42: Array = Array { form: Compact, element: Inline(&S41), wire_bytes_min: 18, wire_is_fixed: false, memory_bytes: 96 };

// Fetch.forgotten_topics_data 13-18, OffsetFetch.groups.topics 10
static S43: Struct = Struct { fields: &[Fixed(16), Many(&A37)], tags: Some(&[]), memory_bytes: 96 };

// Fetch.forgotten_topics_data 13-18
static A44: Array = Array { form: Compact, element: Inline(&S43), wire_bytes_min: 18, wire_is_fixed: false, memory_bytes: 96 };

// Fetch 13-14
static S45: Struct = Struct { fields: &[Fixed(25), Many(&A42), Many(&A44), Text(Compact)], tags: Some(&[(0, Text(CompactNullable)), (1, NotInThisVersion)]), memory_bytes: 208 };

// Fetch.replica_state 15-18, DeleteRecords.topics.partitions 2, OffsetForLeaderEpoch.topics.partitions 4, AlterPartition.topics.partitions.new_isr_with_epochs 3 and 3 more
static S46: Struct = Struct { fields: &[Fixed(12)], tags: Some(&[]), memory_bytes: 40 };

// Fetch 15-16
static S47: Struct = Struct { fields: &[Fixed(21), Many(&A42), Many(&A44), Text(Compact)], tags: Some(&[(0, Text(CompactNullable)), (1, Inline(&S46))]), memory_bytes: 208 };

// Fetch.topics.partitions 17
static S48: Struct = Struct { fields: &[Fixed(32)], tags: Some(&[(0, Fixed(16)), (1, NotInThisVersion)]), memory_bytes: 80 };

// Fetch.topics.partitions 17
static A49: Array = Array { form: Compact, element: Inline(&S48), wire_bytes_min: 33, wire_is_fixed: false, memory_bytes: 80 };

// Fetch.topics 17
static S50: Struct = Struct { fields: &[Fixed(16), Many(&A49)], tags: Some(&[]), memory_bytes: 96 };

// Fetch.topics 17
static A51: Array = Array { form: Compact, element: Inline(&S50), wire_bytes_min: 18, wire_is_fixed: false, memory_bytes: 96 };

// Fetch 17
static S52: Struct = Struct { fields: &[Fixed(21), Many(&A51), Many(&A44), Text(Compact)], tags: Some(&[(0, Text(CompactNullable)), (1, Inline(&S46))]), memory_bytes: 208 };

// Fetch.topics.partitions 18
static S53: Struct = Struct { fields: &[Fixed(32)], tags: Some(&[(0, Fixed(16)), (1, Fixed(8))]), memory_bytes: 80 };

// Fetch.topics.partitions 18
static A54: Array = Array { form: Compact, element: Inline(&S53), wire_bytes_min: 33, wire_is_fixed: false, memory_bytes: 80 };

// Fetch.topics 18
static S55: Struct = Struct { fields: &[Fixed(16), Many(&A54)], tags: Some(&[]), memory_bytes: 96 };

// Fetch.topics 18
static A56: Array = Array { form: Compact, element: Inline(&S55), wire_bytes_min: 18, wire_is_fixed: false, memory_bytes: 96 };

// Fetch 18
static S57: Struct = Struct { fields: &[Fixed(21), Many(&A56), Many(&A44), Text(Compact)], tags: Some(&[(0, Text(CompactNullable)), (1, Inline(&S46))]), memory_bytes: 208 };

// ListOffsets.topics.partitions 1-3, DeleteRecords.topics.partitions 0-1, OffsetForLeaderEpoch.topics.partitions 2-3
static S58: Struct = Struct { fields: &[Fixed(12)], tags: None, memory_bytes: 40 };

// ListOffsets.topics.partitions 1-3, DeleteRecords.topics.partitions 0-1, OffsetForLeaderEpoch.topics.partitions 2-3
static A59: Array = Array { form: Plain, element: Inline(&S58), wire_bytes_min: 12, wire_is_fixed: true, memory_bytes: 40 };

// ListOffsets.topics 1-3, DeleteRecords.topics 0-1, OffsetForLeaderEpoch.topics 2-3
static S60: Struct = Struct { fields: &[Text(Plain), Many(&A59)], tags: None, memory_bytes: 80 };

// ListOffsets.topics 1-3, DeleteRecords.topics 0-1, OffsetForLeaderEpoch.topics 2-3
static A61: Array = Array { form: Plain, element: Inline(&S60), wire_bytes_min: 6, wire_is_fixed: false, memory_bytes: 80 };

// ListOffsets 1
static S62: Struct = Struct { fields: &[Fixed(4), Many(&A61)], tags: None, memory_bytes: 64 };

// ListOffsets 2-3
static S63: Struct = Struct { fields: &[Fixed(5), Many(&A61)], tags: None, memory_bytes: 64 };

// ListOffsets.topics.partitions 4-5
static S64: Struct = Struct { fields: &[Fixed(16)], tags: None, memory_bytes: 40 };

// ListOffsets.topics.partitions 4-5
static A65: Array = Array { form: Plain, element: Inline(&S64), wire_bytes_min: 16, wire_is_fixed: true, memory_bytes: 40 };

// ListOffsets.topics 4-5
static S66: Struct = Struct { fields: &[Text(Plain), Many(&A65)], tags: None, memory_bytes: 80 };

// ListOffsets.topics 4-5
static A67: Array = Array { form: Plain, element: Inline(&S66), wire_bytes_min: 6, wire_is_fixed: false, memory_bytes: 80 };

// ListOffsets 4-5
static S68: Struct = Struct { fields: &[Fixed(5), Many(&A67)], tags: None, memory_bytes: 64 };

// ListOffsets.topics.partitions 6-11, GetTelemetrySubscriptions 0, InitializeShareGroupState.topics.partitions 0
static S69: Struct = Struct { fields: &[Fixed(16)], tags: Some(&[]), memory_bytes: 40 };

// ListOffsets.topics.partitions 6-11, InitializeShareGroupState.topics.partitions 0
static A70: Array = Array { form: Compact, element: Inline(&S69), wire_bytes_min: 17, wire_is_fixed: false, memory_bytes: 40 };

// ListOffsets.topics 6-11
static S71: Struct = Struct { fields: &[Text(Compact), Many(&A70)], tags: Some(&[]), memory_bytes: 80 };

// ListOffsets.topics 6-11
static A72: Array = Array { form: Compact, element: Inline(&S71), wire_bytes_min: 3, wire_is_fixed: false, memory_bytes: 80 };

// ListOffsets 6-9
static S73: Struct = Struct { fields: &[Fixed(5), Many(&A72)], tags: Some(&[]), memory_bytes: 64 };

// ListOffsets 10-11
static S74: Struct = Struct { fields: &[Fixed(5), Many(&A72), Fixed(4)], tags: Some(&[]), memory_bytes: 64 };

// Metadata.topics 0-8
static S75: Struct = Struct { fields: &[Text(Plain)], tags: None, memory_bytes: 72 };

// Metadata.topics 0
static A76: Array = Array { form: Plain, element: Inline(&S75), wire_bytes_min: 2, wire_is_fixed: false, memory_bytes: 72 };

// Metadata 0
static S77: Struct = Struct { fields: &[Many(&A76)], tags: None, memory_bytes: 56 };

// Metadata.topics 1-8
static A78: Array = Array { form: PlainNullable, element: Inline(&S75), wire_bytes_min: 2, wire_is_fixed: false, memory_bytes: 72 };

// Metadata 1-3
static S79: Struct = Struct { fields: &[Many(&A78)], tags: None, memory_bytes: 56 };

// Metadata 4-7
static S80: Struct = Struct { fields: &[Many(&A78), Fixed(1)], tags: None, memory_bytes: 56 };

// Metadata 8
static S81: Struct = Struct { fields: &[Many(&A78), Fixed(3)], tags: None, memory_bytes: 56 };

// Metadata.topics 9
static S82: Struct = Struct { fields: &[Text(Compact)], tags: Some(&[]), memory_bytes: 72 };

// Metadata.topics 9
static A83: Array = Array { form: CompactNullable, element: Inline(&S82), wire_bytes_min: 2, wire_is_fixed: false, memory_bytes: 72 };

// Metadata 9
static S84: Struct = Struct { fields: &[Many(&A83), Fixed(3)], tags: Some(&[]), memory_bytes: 56 };

// Metadata.topics 10-13, OffsetCommit.topics.partitions 8-10, TxnOffsetCommit.topics.partitions 3-5
static S85: Struct = Struct { fields: &[Fixed(16), Text(CompactNullable)], tags: Some(&[]), memory_bytes: 72 };

// Metadata.topics 10-13
static A86: Array = Array { form: CompactNullable, element: Inline(&S85), wire_bytes_min: 18, wire_is_fixed: false, memory_bytes: 72 };

// Metadata 10
static S87: Struct = Struct { fields: &[Many(&A86), Fixed(3)], tags: Some(&[]), memory_bytes: 56 };

// Metadata 11-13
static S88: Struct = Struct { fields: &[Many(&A86), Fixed(2)], tags: Some(&[]), memory_bytes: 56 };

// OffsetCommit.topics.partitions 2-5, TxnOffsetCommit.topics.partitions 0-1
static S89: Struct = Struct { fields: &[Fixed(12), Text(PlainNullable)], tags: None, memory_bytes: 72 };

// OffsetCommit.topics.partitions 2-5, TxnOffsetCommit.topics.partitions 0-1
static A90: Array = Array { form: Plain, element: Inline(&S89), wire_bytes_min: 14, wire_is_fixed: false, memory_bytes: 72 };

// OffsetCommit.topics 2-5
static S91: Struct = Struct { fields: &[Text(Plain), Many(&A90)], tags: None, memory_bytes: 96 };

// OffsetCommit.topics 2-5
static A92: Array = Array { form: Plain, element: Inline(&S91), wire_bytes_min: 6, wire_is_fixed: false, memory_bytes: 96 };

// OffsetCommit 2-4
static S93: Struct = Struct { fields: &[Text(Plain), Fixed(4), Text(Plain), Fixed(8), Many(&A92)], tags: None, memory_bytes: 160 };

// OffsetCommit 5
static S94: Struct = Struct { fields: &[Text(Plain), Fixed(4), Text(Plain), Many(&A92)], tags: None, memory_bytes: 160 };

// OffsetCommit.topics.partitions 6-7, TxnOffsetCommit.topics.partitions 2
static S95: Struct = Struct { fields: &[Fixed(16), Text(PlainNullable)], tags: None, memory_bytes: 72 };

// OffsetCommit.topics.partitions 6-7, TxnOffsetCommit.topics.partitions 2
static A96: Array = Array { form: Plain, element: Inline(&S95), wire_bytes_min: 18, wire_is_fixed: false, memory_bytes: 72 };

// OffsetCommit.topics 6-7
static S97: Struct = Struct { fields: &[Text(Plain), Many(&A96)], tags: None, memory_bytes: 96 };

// OffsetCommit.topics 6-7
static A98: Array = Array { form: Plain, element: Inline(&S97), wire_bytes_min: 6, wire_is_fixed: false, memory_bytes: 96 };

// OffsetCommit 6
static S99: Struct = Struct { fields: &[Text(Plain), Fixed(4), Text(Plain), Many(&A98)], tags: None, memory_bytes: 160 };

// OffsetCommit 7
static S100: Struct = Struct { fields: &[Text(Plain), Fixed(4), Text(Plain), Text(PlainNullable), Many(&A98)], tags: None, memory_bytes: 160 };

// OffsetCommit.topics.partitions 8-10, TxnOffsetCommit.topics.partitions 3-5
static A101: Array = Array { form: Compact, element: Inline(&S85), wire_bytes_min: 18, wire_is_fixed: false, memory_bytes: 72 };

// OffsetCommit.topics 8-9
static S102: Struct = Struct { fields: &[Text(Compact), Many(&A101)], tags: Some(&[]), memory_bytes: 96 };

// OffsetCommit.topics 8-9
static A103: Array = Array { form: Compact, element: Inline(&S102), wire_bytes_min: 3, wire_is_fixed: false, memory_bytes: 96 };

// OffsetCommit 8-9
static S104: Struct = Struct { fields: &[Text(Compact), Fixed(4), Text(Compact), Text(CompactNullable), Many(&A103)], tags: Some(&[]), memory_bytes: 160 };

// OffsetCommit.topics 10
static S105: Struct = Struct { fields: &[Fixed(16), Many(&A101)], tags: Some(&[]), memory_bytes: 96 };

// OffsetCommit.topics 10
static A106: Array = Array { form: Compact, element: Inline(&S105), wire_bytes_min: 18, wire_is_fixed: false, memory_bytes: 96 };

// OffsetCommit 10
static S107: Struct = Struct { fields: &[Text(Compact), Fixed(4), Text(Compact), Text(CompactNullable), Many(&A106)], tags: Some(&[]), memory_bytes: 160 };

// OffsetFetch.topics 1-5, AddPartitionsToTxn.v3_and_below_topics 0-2, AlterReplicaLogDirs.dirs.topics 1, DescribeLogDirs.topics 1 and 1 more
static S108: Struct = Struct { fields: &[Text(Plain), Many(&A23)], tags: None, memory_bytes: 80 };

// OffsetFetch.topics 1, AddPartitionsToTxn.v3_and_below_topics 0-2, AlterReplicaLogDirs.dirs.topics 1
static A109: Array = Array { form: Plain, element: Inline(&S108), wire_bytes_min: 6, wire_is_fixed: false, memory_bytes: 80 };

// OffsetFetch 1
static S110: Struct = Struct { fields: &[Text(Plain), Many(&A109)], tags: None, memory_bytes: 112 };

// OffsetFetch.topics 2-5, DescribeLogDirs.topics 1, ElectLeaders.topic_partitions 0-1
static A111: Array = Array { form: PlainNullable, element: Inline(&S108), wire_bytes_min: 6, wire_is_fixed: false, memory_bytes: 80 };

// OffsetFetch 2-5
static S112: Struct = Struct { fields: &[Text(Plain), Many(&A111)], tags: None, memory_bytes: 112 };

// OffsetFetch.topics 6-7, AddPartitionsToTxn.v3_and_below_topics 3, AddPartitionsToTxn.transactions.topics 4-5, WriteTxnMarkers.markers.topics 1-2 and 9 more
static S113: Struct = Struct { fields: &[Text(Compact), Many(&A37)], tags: Some(&[]), memory_bytes: 80 };

// OffsetFetch.topics 6-7, DescribeLogDirs.topics 2-5, ElectLeaders.topic_partitions 2, ListPartitionReassignments.topics 0 and 4 more
static A114: Array = Array { form: CompactNullable, element: Inline(&S113), wire_bytes_min: 3, wire_is_fixed: false, memory_bytes: 80 };

// OffsetFetch 6
static S115: Struct = Struct { fields: &[Text(Compact), Many(&A114)], tags: Some(&[]), memory_bytes: 112 };

// OffsetFetch 7
static S116: Struct = Struct { fields: &[Text(Compact), Many(&A114), Fixed(1)], tags: Some(&[]), memory_bytes: 112 };

// OffsetFetch.groups.topics 8-9
static A117: Array = Array { form: CompactNullable, element: Inline(&S38), wire_bytes_min: 3, wire_is_fixed: false, memory_bytes: 96 };

// OffsetFetch.groups 8
static S118: Struct = Struct { fields: &[Text(Compact), Many(&A117)], tags: Some(&[]), memory_bytes: 120 };

// OffsetFetch.groups 8
static A119: Array = Array { form: Compact, element: Inline(&S118), wire_bytes_min: 3, wire_is_fixed: false, memory_bytes: 120 };

// OffsetFetch 8
static S120: Struct = Struct { fields: &[Many(&A119), Fixed(1)], tags: Some(&[]), memory_bytes: 112 };

// OffsetFetch.groups 9
static S121: Struct = Struct { fields: &[Text(Compact), Text(CompactNullable), Fixed(4), Many(&A117)], tags: Some(&[]), memory_bytes: 120 };

// OffsetFetch.groups 9
static A122: Array = Array { form: Compact, element: Inline(&S121), wire_bytes_min: 8, wire_is_fixed: false, memory_bytes: 120 };

// OffsetFetch 9
static S123: Struct = Struct { fields: &[Many(&A122), Fixed(1)], tags: Some(&[]), memory_bytes: 112 };

// OffsetFetch.groups.topics 10
static A124: Array = Array { form: CompactNullable, element: Inline(&S43), wire_bytes_min: 18, wire_is_fixed: false, memory_bytes: 96 };

// OffsetFetch.groups 10
static S125: Struct = Struct { fields: &[Text(Compact), Text(CompactNullable), Fixed(4), Many(&A124)], tags: Some(&[]), memory_bytes: 120 };

// OffsetFetch.groups 10
static A126: Array = Array { form: Compact, element: Inline(&S125), wire_bytes_min: 8, wire_is_fixed: false, memory_bytes: 120 };

// OffsetFetch 10
static S127: Struct = Struct { fields: &[Many(&A126), Fixed(1)], tags: Some(&[]), memory_bytes: 112 };

// FindCoordinator 0
static S128: Struct = Struct { fields: &[Text(Plain)], tags: None, memory_bytes: 88 };

// FindCoordinator 1-2
static S129: Struct = Struct { fields: &[Text(Plain), Fixed(1)], tags: None, memory_bytes: 88 };

// FindCoordinator 3
static S130: Struct = Struct { fields: &[Text(Compact), Fixed(1)], tags: Some(&[]), memory_bytes: 88 };

// FindCoordinator.coordinator_keys 4-6, DescribeGroups.groups 5-6, ListGroups.states_filter 4-5, ListGroups.types_filter 5 and 10 more
static A131: Array = Array { form: Compact, element: Text(Compact), wire_bytes_min: 1, wire_is_fixed: false, memory_bytes: 32 };

// FindCoordinator 4-6
static S132: Struct = Struct { fields: &[Fixed(1), Many(&A131)], tags: Some(&[]), memory_bytes: 88 };

// JoinGroup.protocols 0-5, SyncGroup.assignments 0-3
static S133: Struct = Struct { fields: &[Text(Plain), Blob(Plain)], tags: None, memory_bytes: 88 };

// JoinGroup.protocols 0-5, SyncGroup.assignments 0-3
static A134: Array = Array { form: Plain, element: Inline(&S133), wire_bytes_min: 6, wire_is_fixed: false, memory_bytes: 88 };

// JoinGroup 0
static S135: Struct = Struct { fields: &[Text(Plain), Fixed(4), Text(Plain), Text(Plain), Many(&A134)], tags: None, memory_bytes: 216 };

// JoinGroup 1-4
static S136: Struct = Struct { fields: &[Text(Plain), Fixed(8), Text(Plain), Text(Plain), Many(&A134)], tags: None, memory_bytes: 216 };

// JoinGroup 5
static S137: Struct = Struct { fields: &[Text(Plain), Fixed(8), Text(Plain), Text(PlainNullable), Text(Plain), Many(&A134)], tags: None, memory_bytes: 216 };

// JoinGroup.protocols 6-9, SyncGroup.assignments 4-5
static S138: Struct = Struct { fields: &[Text(Compact), Blob(Compact)], tags: Some(&[]), memory_bytes: 88 };

// JoinGroup.protocols 6-9, SyncGroup.assignments 4-5
static A139: Array = Array { form: Compact, element: Inline(&S138), wire_bytes_min: 3, wire_is_fixed: false, memory_bytes: 88 };

// JoinGroup 6-7
static S140: Struct = Struct { fields: &[Text(Compact), Fixed(8), Text(Compact), Text(CompactNullable), Text(Compact), Many(&A139)], tags: Some(&[]), memory_bytes: 216 };

// JoinGroup 8-9
static S141: Struct = Struct { fields: &[Text(Compact), Fixed(8), Text(Compact), Text(CompactNullable), Text(Compact), Many(&A139), Text(CompactNullable)], tags: Some(&[]), memory_bytes: 216 };

// Heartbeat 0-2
static S142: Struct = Struct { fields: &[Text(Plain), Fixed(4), Text(Plain)], tags: None, memory_bytes: 128 };

// Heartbeat 3
static S143: Struct = Struct { fields: &[Text(Plain), Fixed(4), Text(Plain), Text(PlainNullable)], tags: None, memory_bytes: 128 };

// Heartbeat 4
static S144: Struct = Struct { fields: &[Text(Compact), Fixed(4), Text(Compact), Text(CompactNullable)], tags: Some(&[]), memory_bytes: 128 };

// LeaveGroup 0-2
static S145: Struct = Struct { fields: &[Text(Plain), Text(Plain)], tags: None, memory_bytes: 112 };

// LeaveGroup.members 3
static S146: Struct = Struct { fields: &[Text(Plain), Text(PlainNullable)], tags: None, memory_bytes: 120 };

// LeaveGroup.members 3
static A147: Array = Array { form: Plain, element: Inline(&S146), wire_bytes_min: 4, wire_is_fixed: false, memory_bytes: 120 };

// LeaveGroup 3
static S148: Struct = Struct { fields: &[Text(Plain), Many(&A147)], tags: None, memory_bytes: 112 };

// LeaveGroup.members 4
static S149: Struct = Struct { fields: &[Text(Compact), Text(CompactNullable)], tags: Some(&[]), memory_bytes: 120 };

// LeaveGroup.members 4
static A150: Array = Array { form: Compact, element: Inline(&S149), wire_bytes_min: 3, wire_is_fixed: false, memory_bytes: 120 };

// LeaveGroup 4
static S151: Struct = Struct { fields: &[Text(Compact), Many(&A150)], tags: Some(&[]), memory_bytes: 112 };

// LeaveGroup.members 5
static S152: Struct = Struct { fields: &[Text(Compact), Text(CompactNullable), Text(CompactNullable)], tags: Some(&[]), memory_bytes: 120 };

// LeaveGroup.members 5
static A153: Array = Array { form: Compact, element: Inline(&S152), wire_bytes_min: 4, wire_is_fixed: false, memory_bytes: 120 };

// LeaveGroup 5
static S154: Struct = Struct { fields: &[Text(Compact), Many(&A153)], tags: Some(&[]), memory_bytes: 112 };

// SyncGroup 0-2
static S155: Struct = Struct { fields: &[Text(Plain), Fixed(4), Text(Plain), Many(&A134)], tags: None, memory_bytes: 216 };

// SyncGroup 3
static S156: Struct = Struct { fields: &[Text(Plain), Fixed(4), Text(Plain), Text(PlainNullable), Many(&A134)], tags: None, memory_bytes: 216 };

// SyncGroup 4
static S157: Struct = Struct { fields: &[Text(Compact), Fixed(4), Text(Compact), Text(CompactNullable), Many(&A139)], tags: Some(&[]), memory_bytes: 216 };

// SyncGroup 5
static S158: Struct = Struct { fields: &[Text(Compact), Fixed(4), Text(Compact), Text(CompactNullable), Text(CompactNullable), Text(CompactNullable), Many(&A139)], tags: Some(&[]), memory_bytes: 216 };

// DescribeGroups.groups 0-4, DeleteTopics.topic_names 1-3, DeleteGroups.groups_names 0-1
static A159: Array = Array { form: Plain, element: Text(Plain), wire_bytes_min: 2, wire_is_fixed: false, memory_bytes: 32 };

// DescribeGroups 0-2
static S160: Struct = Struct { fields: &[Many(&A159)], tags: None, memory_bytes: 56 };

// DescribeGroups 3-4
static S161: Struct = Struct { fields: &[Many(&A159), Fixed(1)], tags: None, memory_bytes: 56 };

// DescribeGroups 5-6, ConsumerGroupDescribe 0-1, ShareGroupDescribe 1, StreamsGroupDescribe 0
static S162: Struct = Struct { fields: &[Many(&A131), Fixed(1)], tags: Some(&[]), memory_bytes: 56 };

// ListGroups 0-2
static S163: Struct = Struct { fields: &[], tags: None, memory_bytes: 72 };

// ListGroups 3
static S164: Struct = Struct { fields: &[], tags: Some(&[]), memory_bytes: 72 };

// ListGroups 4
static S165: Struct = Struct { fields: &[Many(&A131)], tags: Some(&[]), memory_bytes: 72 };

// ListGroups 5
static S166: Struct = Struct { fields: &[Many(&A131), Many(&A131)], tags: Some(&[]), memory_bytes: 72 };

// SaslHandshake 0-1
static S167: Struct = Struct { fields: &[Text(Plain)], tags: None, memory_bytes: 56 };

// ApiVersions 0-2
static S168: Struct = Struct { fields: &[], tags: None, memory_bytes: 88 };

// ApiVersions 3-4, CreateDelegationToken.renewers 2-3, DescribeDelegationToken.owners 2-3, StreamsGroupHeartbeat.topology.subtopologies.state_changelog_topics.topic_configs 0 and 2 more
static S169: Struct = Struct { fields: &[Text(Compact), Text(Compact)], tags: Some(&[]), memory_bytes: 88 };

// CreateTopics.topics.assignments 2-4
static S170: Struct = Struct { fields: &[Fixed(4), Many(&A23)], tags: None, memory_bytes: 56 };

// CreateTopics.topics.assignments 2-4
static A171: Array = Array { form: Plain, element: Inline(&S170), wire_bytes_min: 8, wire_is_fixed: false, memory_bytes: 56 };

// CreateTopics.topics.configs 2-4, AlterConfigs.resources.configs 0-1, AlterClientQuotas.entries.entity 0
static S172: Struct = Struct { fields: &[Text(Plain), Text(PlainNullable)], tags: None, memory_bytes: 88 };

// CreateTopics.topics.configs 2-4, AlterConfigs.resources.configs 0-1, AlterClientQuotas.entries.entity 0
static A173: Array = Array { form: Plain, element: Inline(&S172), wire_bytes_min: 4, wire_is_fixed: false, memory_bytes: 88 };

// CreateTopics.topics 2-4
static S174: Struct = Struct { fields: &[Text(Plain), Fixed(6), Many(&A171), Many(&A173)], tags: None, memory_bytes: 112 };

// CreateTopics.topics 2-4
static A175: Array = Array { form: Plain, element: Inline(&S174), wire_bytes_min: 16, wire_is_fixed: false, memory_bytes: 112 };

// CreateTopics 2-4
static S176: Struct = Struct { fields: &[Many(&A175), Fixed(5)], tags: None, memory_bytes: 56 };

// CreateTopics.topics.assignments 5-7
static S177: Struct = Struct { fields: &[Fixed(4), Many(&A37)], tags: Some(&[]), memory_bytes: 56 };

// CreateTopics.topics.assignments 5-7
static A178: Array = Array { form: Compact, element: Inline(&S177), wire_bytes_min: 6, wire_is_fixed: false, memory_bytes: 56 };

// CreateTopics.topics.configs 5-7, AlterConfigs.resources.configs 2, AlterClientQuotas.entries.entity 1
static S179: Struct = Struct { fields: &[Text(Compact), Text(CompactNullable)], tags: Some(&[]), memory_bytes: 88 };

// CreateTopics.topics.configs 5-7, AlterConfigs.resources.configs 2, AlterClientQuotas.entries.entity 1
static A180: Array = Array { form: Compact, element: Inline(&S179), wire_bytes_min: 3, wire_is_fixed: false, memory_bytes: 88 };

// CreateTopics.topics 5-7
static S181: Struct = Struct { fields: &[Text(Compact), Fixed(6), Many(&A178), Many(&A180)], tags: Some(&[]), memory_bytes: 112 };

// CreateTopics.topics 5-7
static A182: Array = Array { form: Compact, element: Inline(&S181), wire_bytes_min: 10, wire_is_fixed: false, memory_bytes: 112 };

// CreateTopics 5-7
static S183: Struct = Struct { fields: &[Many(&A182), Fixed(5)], tags: Some(&[]), memory_bytes: 56 };

// DeleteTopics 1-3
static S184: Struct = Struct { fields: &[Many(&A159), Fixed(4)], tags: None, memory_bytes: 80 };

// DeleteTopics 4-5
static S185: Struct = Struct { fields: &[Many(&A131), Fixed(4)], tags: Some(&[]), memory_bytes: 80 };

// DeleteTopics.topics 6
static S186: Struct = Struct { fields: &[Text(CompactNullable), Fixed(16)], tags: Some(&[]), memory_bytes: 72 };

// DeleteTopics.topics 6
static A187: Array = Array { form: Compact, element: Inline(&S186), wire_bytes_min: 18, wire_is_fixed: false, memory_bytes: 72 };

// DeleteTopics 6
static S188: Struct = Struct { fields: &[Many(&A187), Fixed(4)], tags: Some(&[]), memory_bytes: 80 };

// DeleteRecords 0-1
static S189: Struct = Struct { fields: &[Many(&A61), Fixed(4)], tags: None, memory_bytes: 56 };

// DeleteRecords.topics.partitions 2, OffsetForLeaderEpoch.topics.partitions 4, AlterPartition.topics.partitions.new_isr_with_epochs 3, AlterShareGroupOffsets.topics.partitions 0
static A190: Array = Array { form: Compact, element: Inline(&S46), wire_bytes_min: 13, wire_is_fixed: false, memory_bytes: 40 };

// DeleteRecords.topics 2, OffsetForLeaderEpoch.topics 4, AlterShareGroupOffsets.topics 0
static S191: Struct = Struct { fields: &[Text(Compact), Many(&A190)], tags: Some(&[]), memory_bytes: 80 };

// DeleteRecords.topics 2, OffsetForLeaderEpoch.topics 4, AlterShareGroupOffsets.topics 0
static A192: Array = Array { form: Compact, element: Inline(&S191), wire_bytes_min: 3, wire_is_fixed: false, memory_bytes: 80 };

// DeleteRecords 2
static S193: Struct = Struct { fields: &[Many(&A192), Fixed(4)], tags: Some(&[]), memory_bytes: 56 };

// InitProducerId 0-1
static S194: Struct = Struct { fields: &[Text(PlainNullable), Fixed(4)], tags: None, memory_bytes: 72 };

// InitProducerId 2
static S195: Struct = Struct { fields: &[Text(CompactNullable), Fixed(4)], tags: Some(&[]), memory_bytes: 72 };

// InitProducerId 3-5
static S196: Struct = Struct { fields: &[Text(CompactNullable), Fixed(14)], tags: Some(&[]), memory_bytes: 72 };

// OffsetForLeaderEpoch 2
static S197: Struct = Struct { fields: &[Many(&A61)], tags: None, memory_bytes: 56 };

// OffsetForLeaderEpoch 3
static S198: Struct = Struct { fields: &[Fixed(4), Many(&A61)], tags: None, memory_bytes: 56 };

// OffsetForLeaderEpoch 4
static S199: Struct = Struct { fields: &[Fixed(4), Many(&A192)], tags: Some(&[]), memory_bytes: 56 };

// AddPartitionsToTxn 0-2
static S200: Struct = Struct { fields: &[Text(Plain), Fixed(10), Many(&A109)], tags: None, memory_bytes: 120 };

// AddPartitionsToTxn.v3_and_below_topics 3, AddPartitionsToTxn.transactions.topics 4-5, WriteTxnMarkers.markers.topics 1-2, AlterReplicaLogDirs.dirs.topics 2 and 1 more
static A201: Array = Array { form: Compact, element: Inline(&S113), wire_bytes_min: 3, wire_is_fixed: false, memory_bytes: 80 };

// AddPartitionsToTxn 3
static S202: Struct = Struct { fields: &[Text(Compact), Fixed(10), Many(&A201)], tags: Some(&[]), memory_bytes: 120 };

// AddPartitionsToTxn.transactions 4-5
static S203: Struct = Struct { fields: &[Text(Compact), Fixed(11), Many(&A201)], tags: Some(&[]), memory_bytes: 96 };

// AddPartitionsToTxn.transactions 4-5
static A204: Array = Array { form: Compact, element: Inline(&S203), wire_bytes_min: 14, wire_is_fixed: false, memory_bytes: 96 };

// AddPartitionsToTxn 4-5
static S205: Struct = Struct { fields: &[Many(&A204)], tags: Some(&[]), memory_bytes: 120 };

// AddOffsetsToTxn 0-2
static S206: Struct = Struct { fields: &[Text(Plain), Fixed(10), Text(Plain)], tags: None, memory_bytes: 104 };

// AddOffsetsToTxn 3-4
static S207: Struct = Struct { fields: &[Text(Compact), Fixed(10), Text(Compact)], tags: Some(&[]), memory_bytes: 104 };

// EndTxn 0-2
static S208: Struct = Struct { fields: &[Text(Plain), Fixed(11)], tags: None, memory_bytes: 72 };

// EndTxn 3-5
static S209: Struct = Struct { fields: &[Text(Compact), Fixed(11)], tags: Some(&[]), memory_bytes: 72 };

// WriteTxnMarkers.markers 1
static S210: Struct = Struct { fields: &[Fixed(11), Many(&A201), Fixed(4)], tags: Some(&[]), memory_bytes: 64 };

// WriteTxnMarkers.markers 1
static A211: Array = Array { form: Compact, element: Inline(&S210), wire_bytes_min: 17, wire_is_fixed: false, memory_bytes: 64 };

// WriteTxnMarkers 1
static S212: Struct = Struct { fields: &[Many(&A211)], tags: Some(&[]), memory_bytes: 48 };

// WriteTxnMarkers.markers 2
static S213: Struct = Struct { fields: &[Fixed(11), Many(&A201), Fixed(5)], tags: Some(&[]), memory_bytes: 64 };

// WriteTxnMarkers.markers 2
static A214: Array = Array { form: Compact, element: Inline(&S213), wire_bytes_min: 18, wire_is_fixed: false, memory_bytes: 64 };

// WriteTxnMarkers 2
static S215: Struct = Struct { fields: &[Many(&A214)], tags: Some(&[]), memory_bytes: 48 };

// TxnOffsetCommit.topics 0-1
static S216: Struct = Struct { fields: &[Text(Plain), Many(&A90)], tags: None, memory_bytes: 80 };

// TxnOffsetCommit.topics 0-1
static A217: Array = Array { form: Plain, element: Inline(&S216), wire_bytes_min: 6, wire_is_fixed: false, memory_bytes: 80 };

// TxnOffsetCommit 0-1
static S218: Struct = Struct { fields: &[Text(Plain), Text(Plain), Fixed(10), Many(&A217)], tags: None, memory_bytes: 192 };

// TxnOffsetCommit.topics 2
static S219: Struct = Struct { fields: &[Text(Plain), Many(&A96)], tags: None, memory_bytes: 80 };

// TxnOffsetCommit.topics 2
static A220: Array = Array { form: Plain, element: Inline(&S219), wire_bytes_min: 6, wire_is_fixed: false, memory_bytes: 80 };

// TxnOffsetCommit 2
static S221: Struct = Struct { fields: &[Text(Plain), Text(Plain), Fixed(10), Many(&A220)], tags: None, memory_bytes: 192 };

// TxnOffsetCommit.topics 3-5
static S222: Struct = Struct { fields: &[Text(Compact), Many(&A101)], tags: Some(&[]), memory_bytes: 80 };

// TxnOffsetCommit.topics 3-5
static A223: Array = Array { form: Compact, element: Inline(&S222), wire_bytes_min: 3, wire_is_fixed: false, memory_bytes: 80 };

// TxnOffsetCommit 3-5
static S224: Struct = Struct { fields: &[Text(Compact), Text(Compact), Fixed(14), Text(Compact), Text(CompactNullable), Many(&A223)], tags: Some(&[]), memory_bytes: 192 };

// DescribeAcls 1, DeleteAcls.filters 1
static S225: Struct = Struct { fields: &[Fixed(1), Text(PlainNullable), Fixed(1), Text(PlainNullable), Text(PlainNullable), Fixed(2)], tags: None, memory_bytes: 128 };

// DescribeAcls 2-3, DeleteAcls.filters 2-3
static S226: Struct = Struct { fields: &[Fixed(1), Text(CompactNullable), Fixed(1), Text(CompactNullable), Text(CompactNullable), Fixed(2)], tags: Some(&[]), memory_bytes: 128 };

// CreateAcls.creations 1
static S227: Struct = Struct { fields: &[Fixed(1), Text(Plain), Fixed(1), Text(Plain), Text(Plain), Fixed(2)], tags: None, memory_bytes: 128 };

// CreateAcls.creations 1
static A228: Array = Array { form: Plain, element: Inline(&S227), wire_bytes_min: 10, wire_is_fixed: false, memory_bytes: 128 };

// CreateAcls 1
static S229: Struct = Struct { fields: &[Many(&A228)], tags: None, memory_bytes: 48 };

// CreateAcls.creations 2-3
static S230: Struct = Struct { fields: &[Fixed(1), Text(Compact), Fixed(1), Text(Compact), Text(Compact), Fixed(2)], tags: Some(&[]), memory_bytes: 128 };

// CreateAcls.creations 2-3
static A231: Array = Array { form: Compact, element: Inline(&S230), wire_bytes_min: 8, wire_is_fixed: false, memory_bytes: 128 };

// CreateAcls 2-3
static S232: Struct = Struct { fields: &[Many(&A231)], tags: Some(&[]), memory_bytes: 48 };

// DeleteAcls.filters 1
static A233: Array = Array { form: Plain, element: Inline(&S225), wire_bytes_min: 10, wire_is_fixed: false, memory_bytes: 128 };

// DeleteAcls 1
static S234: Struct = Struct { fields: &[Many(&A233)], tags: None, memory_bytes: 48 };

// DeleteAcls.filters 2-3
static A235: Array = Array { form: Compact, element: Inline(&S226), wire_bytes_min: 8, wire_is_fixed: false, memory_bytes: 128 };

// DeleteAcls 2-3
static S236: Struct = Struct { fields: &[Many(&A235)], tags: Some(&[]), memory_bytes: 48 };

// DescribeConfigs.resources.configuration_keys 1-3
static A237: Array = Array { form: PlainNullable, element: Text(Plain), wire_bytes_min: 2, wire_is_fixed: false, memory_bytes: 32 };

// DescribeConfigs.resources 1-3
static S238: Struct = Struct { fields: &[Fixed(1), Text(Plain), Many(&A237)], tags: None, memory_bytes: 88 };

// DescribeConfigs.resources 1-3
static A239: Array = Array { form: Plain, element: Inline(&S238), wire_bytes_min: 7, wire_is_fixed: false, memory_bytes: 88 };

// DescribeConfigs 1-2
static S240: Struct = Struct { fields: &[Many(&A239), Fixed(1)], tags: None, memory_bytes: 56 };

// DescribeConfigs 3
static S241: Struct = Struct { fields: &[Many(&A239), Fixed(2)], tags: None, memory_bytes: 56 };

// DescribeConfigs.resources.configuration_keys 4, ConsumerGroupHeartbeat.subscribed_topic_names 0-1, ShareGroupHeartbeat.subscribed_topic_names 1
static A242: Array = Array { form: CompactNullable, element: Text(Compact), wire_bytes_min: 1, wire_is_fixed: false, memory_bytes: 32 };

// DescribeConfigs.resources 4
static S243: Struct = Struct { fields: &[Fixed(1), Text(Compact), Many(&A242)], tags: Some(&[]), memory_bytes: 88 };

// DescribeConfigs.resources 4
static A244: Array = Array { form: Compact, element: Inline(&S243), wire_bytes_min: 4, wire_is_fixed: false, memory_bytes: 88 };

// DescribeConfigs 4
static S245: Struct = Struct { fields: &[Many(&A244), Fixed(2)], tags: Some(&[]), memory_bytes: 56 };

// AlterConfigs.resources 0-1
static S246: Struct = Struct { fields: &[Fixed(1), Text(Plain), Many(&A173)], tags: None, memory_bytes: 88 };

// AlterConfigs.resources 0-1
static A247: Array = Array { form: Plain, element: Inline(&S246), wire_bytes_min: 7, wire_is_fixed: false, memory_bytes: 88 };

// AlterConfigs 0-1
static S248: Struct = Struct { fields: &[Many(&A247), Fixed(1)], tags: None, memory_bytes: 56 };

// AlterConfigs.resources 2
static S249: Struct = Struct { fields: &[Fixed(1), Text(Compact), Many(&A180)], tags: Some(&[]), memory_bytes: 88 };

// AlterConfigs.resources 2
static A250: Array = Array { form: Compact, element: Inline(&S249), wire_bytes_min: 4, wire_is_fixed: false, memory_bytes: 88 };

// AlterConfigs 2
static S251: Struct = Struct { fields: &[Many(&A250), Fixed(1)], tags: Some(&[]), memory_bytes: 56 };

// AlterReplicaLogDirs.dirs 1
static S252: Struct = Struct { fields: &[Text(Plain), Many(&A109)], tags: None, memory_bytes: 80 };

// AlterReplicaLogDirs.dirs 1
static A253: Array = Array { form: Plain, element: Inline(&S252), wire_bytes_min: 6, wire_is_fixed: false, memory_bytes: 80 };

// AlterReplicaLogDirs 1
static S254: Struct = Struct { fields: &[Many(&A253)], tags: None, memory_bytes: 48 };

// AlterReplicaLogDirs.dirs 2
static S255: Struct = Struct { fields: &[Text(Compact), Many(&A201)], tags: Some(&[]), memory_bytes: 80 };

// AlterReplicaLogDirs.dirs 2
static A256: Array = Array { form: Compact, element: Inline(&S255), wire_bytes_min: 3, wire_is_fixed: false, memory_bytes: 80 };

// AlterReplicaLogDirs 2
static S257: Struct = Struct { fields: &[Many(&A256)], tags: Some(&[]), memory_bytes: 48 };

// DescribeLogDirs 1
static S258: Struct = Struct { fields: &[Many(&A111)], tags: None, memory_bytes: 48 };

// DescribeLogDirs 2-5
static S259: Struct = Struct { fields: &[Many(&A114)], tags: Some(&[]), memory_bytes: 48 };

// SaslAuthenticate 0-1
static S260: Struct = Struct { fields: &[Blob(Plain)], tags: None, memory_bytes: 56 };

// SaslAuthenticate 2
static S261: Struct = Struct { fields: &[Blob(Compact)], tags: Some(&[]), memory_bytes: 56 };

// CreatePartitions.topics.assignments 0-1
static S262: Struct = Struct { fields: &[Many(&A23)], tags: None, memory_bytes: 48 };

// CreatePartitions.topics.assignments 0-1
static A263: Array = Array { form: PlainNullable, element: Inline(&S262), wire_bytes_min: 4, wire_is_fixed: false, memory_bytes: 48 };

// CreatePartitions.topics 0-1
static S264: Struct = Struct { fields: &[Text(Plain), Fixed(4), Many(&A263)], tags: None, memory_bytes: 88 };

// CreatePartitions.topics 0-1
static A265: Array = Array { form: Plain, element: Inline(&S264), wire_bytes_min: 10, wire_is_fixed: false, memory_bytes: 88 };

// CreatePartitions 0-1
static S266: Struct = Struct { fields: &[Many(&A265), Fixed(5)], tags: None, memory_bytes: 56 };

// CreatePartitions.topics.assignments 2-3
static S267: Struct = Struct { fields: &[Many(&A37)], tags: Some(&[]), memory_bytes: 48 };

// CreatePartitions.topics.assignments 2-3
static A268: Array = Array { form: CompactNullable, element: Inline(&S267), wire_bytes_min: 2, wire_is_fixed: false, memory_bytes: 48 };

// CreatePartitions.topics 2-3
static S269: Struct = Struct { fields: &[Text(Compact), Fixed(4), Many(&A268)], tags: Some(&[]), memory_bytes: 88 };

// CreatePartitions.topics 2-3
static A270: Array = Array { form: Compact, element: Inline(&S269), wire_bytes_min: 7, wire_is_fixed: false, memory_bytes: 88 };

// CreatePartitions 2-3
static S271: Struct = Struct { fields: &[Many(&A270), Fixed(5)], tags: Some(&[]), memory_bytes: 56 };

// CreateDelegationToken.renewers 1, DescribeDelegationToken.owners 1
static S272: Struct = Struct { fields: &[Text(Plain), Text(Plain)], tags: None, memory_bytes: 88 };

// CreateDelegationToken.renewers 1
static A273: Array = Array { form: Plain, element: Inline(&S272), wire_bytes_min: 4, wire_is_fixed: false, memory_bytes: 88 };

// CreateDelegationToken 1
static S274: Struct = Struct { fields: &[Many(&A273), Fixed(8)], tags: None, memory_bytes: 120 };

// CreateDelegationToken.renewers 2-3, StreamsGroupHeartbeat.topology.subtopologies.state_changelog_topics.topic_configs 0, StreamsGroupHeartbeat.topology.subtopologies.repartition_source_topics.topic_configs 0
static A275: Array = Array { form: Compact, element: Inline(&S169), wire_bytes_min: 3, wire_is_fixed: false, memory_bytes: 88 };

// CreateDelegationToken 2
static S276: Struct = Struct { fields: &[Many(&A275), Fixed(8)], tags: Some(&[]), memory_bytes: 120 };

// CreateDelegationToken 3
static S277: Struct = Struct { fields: &[Text(CompactNullable), Text(CompactNullable), Many(&A275), Fixed(8)], tags: Some(&[]), memory_bytes: 120 };

// RenewDelegationToken 1, ExpireDelegationToken 1
static S278: Struct = Struct { fields: &[Blob(Plain), Fixed(8)], tags: None, memory_bytes: 64 };

// RenewDelegationToken 2, ExpireDelegationToken 2
static S279: Struct = Struct { fields: &[Blob(Compact), Fixed(8)], tags: Some(&[]), memory_bytes: 64 };

// DescribeDelegationToken.owners 1
static A280: Array = Array { form: PlainNullable, element: Inline(&S272), wire_bytes_min: 4, wire_is_fixed: false, memory_bytes: 88 };

// DescribeDelegationToken 1
static S281: Struct = Struct { fields: &[Many(&A280)], tags: None, memory_bytes: 48 };

// DescribeDelegationToken.owners 2-3, StreamsGroupHeartbeat.client_tags 0
static A282: Array = Array { form: CompactNullable, element: Inline(&S169), wire_bytes_min: 3, wire_is_fixed: false, memory_bytes: 88 };

// DescribeDelegationToken 2-3
static S283: Struct = Struct { fields: &[Many(&A282)], tags: Some(&[]), memory_bytes: 48 };

// DeleteGroups 0-1
static S284: Struct = Struct { fields: &[Many(&A159)], tags: None, memory_bytes: 48 };

// DeleteGroups 2, DescribeTransactions 0
static S285: Struct = Struct { fields: &[Many(&A131)], tags: Some(&[]), memory_bytes: 48 };

// ElectLeaders 0
static S286: Struct = Struct { fields: &[Many(&A111), Fixed(4)], tags: None, memory_bytes: 56 };

// ElectLeaders 1
static S287: Struct = Struct { fields: &[Fixed(1), Many(&A111), Fixed(4)], tags: None, memory_bytes: 56 };

// ElectLeaders 2
static S288: Struct = Struct { fields: &[Fixed(1), Many(&A114), Fixed(4)], tags: Some(&[]), memory_bytes: 56 };

// IncrementalAlterConfigs.resources.configs 0, DescribeClientQuotas.components 0
static S289: Struct = Struct { fields: &[Text(Plain), Fixed(1), Text(PlainNullable)], tags: None, memory_bytes: 96 };

// IncrementalAlterConfigs.resources.configs 0, DescribeClientQuotas.components 0
static A290: Array = Array { form: Plain, element: Inline(&S289), wire_bytes_min: 5, wire_is_fixed: false, memory_bytes: 96 };

// IncrementalAlterConfigs.resources 0
static S291: Struct = Struct { fields: &[Fixed(1), Text(Plain), Many(&A290)], tags: None, memory_bytes: 88 };

// IncrementalAlterConfigs.resources 0
static A292: Array = Array { form: Plain, element: Inline(&S291), wire_bytes_min: 7, wire_is_fixed: false, memory_bytes: 88 };

// IncrementalAlterConfigs 0
static S293: Struct = Struct { fields: &[Many(&A292), Fixed(1)], tags: None, memory_bytes: 56 };

// IncrementalAlterConfigs.resources.configs 1, DescribeClientQuotas.components 1
static S294: Struct = Struct { fields: &[Text(Compact), Fixed(1), Text(CompactNullable)], tags: Some(&[]), memory_bytes: 96 };

// IncrementalAlterConfigs.resources.configs 1, DescribeClientQuotas.components 1
static A295: Array = Array { form: Compact, element: Inline(&S294), wire_bytes_min: 4, wire_is_fixed: false, memory_bytes: 96 };

// IncrementalAlterConfigs.resources 1
static S296: Struct = Struct { fields: &[Fixed(1), Text(Compact), Many(&A295)], tags: Some(&[]), memory_bytes: 88 };

// IncrementalAlterConfigs.resources 1
static A297: Array = Array { form: Compact, element: Inline(&S296), wire_bytes_min: 4, wire_is_fixed: false, memory_bytes: 88 };

// IncrementalAlterConfigs 1
static S298: Struct = Struct { fields: &[Many(&A297), Fixed(1)], tags: Some(&[]), memory_bytes: 56 };

// AlterPartitionReassignments.topics.partitions.replicas 0-1
static A299: Array = Array { form: CompactNullable, element: Fixed(4), wire_bytes_min: 4, wire_is_fixed: true, memory_bytes: 4 };

// AlterPartitionReassignments.topics.partitions 0-1
static S300: Struct = Struct { fields: &[Fixed(4), Many(&A299)], tags: Some(&[]), memory_bytes: 56 };

// AlterPartitionReassignments.topics.partitions 0-1
static A301: Array = Array { form: Compact, element: Inline(&S300), wire_bytes_min: 6, wire_is_fixed: false, memory_bytes: 56 };

// AlterPartitionReassignments.topics 0-1
static S302: Struct = Struct { fields: &[Text(Compact), Many(&A301)], tags: Some(&[]), memory_bytes: 80 };

// AlterPartitionReassignments.topics 0-1
static A303: Array = Array { form: Compact, element: Inline(&S302), wire_bytes_min: 3, wire_is_fixed: false, memory_bytes: 80 };

// AlterPartitionReassignments 0
static S304: Struct = Struct { fields: &[Fixed(4), Many(&A303)], tags: Some(&[]), memory_bytes: 56 };

// AlterPartitionReassignments 1
static S305: Struct = Struct { fields: &[Fixed(5), Many(&A303)], tags: Some(&[]), memory_bytes: 56 };

// ListPartitionReassignments 0
static S306: Struct = Struct { fields: &[Fixed(4), Many(&A114)], tags: Some(&[]), memory_bytes: 56 };

// OffsetDelete.topics.partitions 0
static S307: Struct = Struct { fields: &[Fixed(4)], tags: None, memory_bytes: 32 };

// OffsetDelete.topics.partitions 0
static A308: Array = Array { form: Plain, element: Inline(&S307), wire_bytes_min: 4, wire_is_fixed: true, memory_bytes: 32 };

// OffsetDelete.topics 0
static S309: Struct = Struct { fields: &[Text(Plain), Many(&A308)], tags: None, memory_bytes: 80 };

// OffsetDelete.topics 0
static A310: Array = Array { form: Plain, element: Inline(&S309), wire_bytes_min: 6, wire_is_fixed: false, memory_bytes: 80 };

// OffsetDelete 0
static S311: Struct = Struct { fields: &[Text(Plain), Many(&A310)], tags: None, memory_bytes: 80 };

// DescribeClientQuotas 0
static S312: Struct = Struct { fields: &[Many(&A290), Fixed(1)], tags: None, memory_bytes: 56 };

// DescribeClientQuotas 1
static S313: Struct = Struct { fields: &[Many(&A295), Fixed(1)], tags: Some(&[]), memory_bytes: 56 };

// AlterClientQuotas.entries.ops 0
static S314: Struct = Struct { fields: &[Text(Plain), Fixed(9)], tags: None, memory_bytes: 72 };

// AlterClientQuotas.entries.ops 0
static A315: Array = Array { form: Plain, element: Inline(&S314), wire_bytes_min: 11, wire_is_fixed: false, memory_bytes: 72 };

// AlterClientQuotas.entries 0
static S316: Struct = Struct { fields: &[Many(&A173), Many(&A315)], tags: None, memory_bytes: 72 };

// AlterClientQuotas.entries 0
static A317: Array = Array { form: Plain, element: Inline(&S316), wire_bytes_min: 8, wire_is_fixed: false, memory_bytes: 72 };

// AlterClientQuotas 0
static S318: Struct = Struct { fields: &[Many(&A317), Fixed(1)], tags: None, memory_bytes: 56 };

// AlterClientQuotas.entries.ops 1
static S319: Struct = Struct { fields: &[Text(Compact), Fixed(9)], tags: Some(&[]), memory_bytes: 72 };

// AlterClientQuotas.entries.ops 1
static A320: Array = Array { form: Compact, element: Inline(&S319), wire_bytes_min: 11, wire_is_fixed: false, memory_bytes: 72 };

// AlterClientQuotas.entries 1
static S321: Struct = Struct { fields: &[Many(&A180), Many(&A320)], tags: Some(&[]), memory_bytes: 72 };

// AlterClientQuotas.entries 1
static A322: Array = Array { form: Compact, element: Inline(&S321), wire_bytes_min: 3, wire_is_fixed: false, memory_bytes: 72 };

// AlterClientQuotas 1
static S323: Struct = Struct { fields: &[Many(&A322), Fixed(1)], tags: Some(&[]), memory_bytes: 56 };

// DescribeUserScramCredentials.users 0, DescribeTopicPartitions.topics 0, DeleteShareGroupOffsets.topics 0
static S324: Struct = Struct { fields: &[Text(Compact)], tags: Some(&[]), memory_bytes: 56 };

// DescribeUserScramCredentials.users 0
static A325: Array = Array { form: CompactNullable, element: Inline(&S324), wire_bytes_min: 2, wire_is_fixed: false, memory_bytes: 56 };

// DescribeUserScramCredentials 0
static S326: Struct = Struct { fields: &[Many(&A325)], tags: Some(&[]), memory_bytes: 48 };

// AlterUserScramCredentials.deletions 0
static S327: Struct = Struct { fields: &[Text(Compact), Fixed(1)], tags: Some(&[]), memory_bytes: 64 };

// AlterUserScramCredentials.deletions 0
static A328: Array = Array { form: Compact, element: Inline(&S327), wire_bytes_min: 3, wire_is_fixed: false, memory_bytes: 64 };

// AlterUserScramCredentials.upsertions 0
static S329: Struct = Struct { fields: &[Text(Compact), Fixed(5), Blob(Compact), Blob(Compact)], tags: Some(&[]), memory_bytes: 128 };

// AlterUserScramCredentials.upsertions 0
static A330: Array = Array { form: Compact, element: Inline(&S329), wire_bytes_min: 9, wire_is_fixed: false, memory_bytes: 128 };

// AlterUserScramCredentials 0
static S331: Struct = Struct { fields: &[Many(&A328), Many(&A330)], tags: Some(&[]), memory_bytes: 72 };

// Vote.topics.partitions 0
static S332: Struct = Struct { fields: &[Fixed(24)], tags: Some(&[]), memory_bytes: 88 };

// Vote.topics.partitions 0
static A333: Array = Array { form: Compact, element: Inline(&S332), wire_bytes_min: 25, wire_is_fixed: false, memory_bytes: 88 };

// Vote.topics 0
static S334: Struct = Struct { fields: &[Text(Compact), Many(&A333)], tags: Some(&[]), memory_bytes: 80 };

// Vote.topics 0
static A335: Array = Array { form: Compact, element: Inline(&S334), wire_bytes_min: 3, wire_is_fixed: false, memory_bytes: 80 };

// Vote 0
static S336: Struct = Struct { fields: &[Text(CompactNullable), Many(&A335)], tags: Some(&[]), memory_bytes: 88 };

// Vote.topics.partitions 1
static S337: Struct = Struct { fields: &[Fixed(56)], tags: Some(&[]), memory_bytes: 88 };

// Vote.topics.partitions 1
static A338: Array = Array { form: Compact, element: Inline(&S337), wire_bytes_min: 57, wire_is_fixed: false, memory_bytes: 88 };

// Vote.topics 1
static S339: Struct = Struct { fields: &[Text(Compact), Many(&A338)], tags: Some(&[]), memory_bytes: 80 };

// Vote.topics 1
static A340: Array = Array { form: Compact, element: Inline(&S339), wire_bytes_min: 3, wire_is_fixed: false, memory_bytes: 80 };

// Vote 1
static S341: Struct = Struct { fields: &[Text(CompactNullable), Fixed(4), Many(&A340)], tags: Some(&[]), memory_bytes: 88 };

// Vote.topics.partitions 2
static S342: Struct = Struct { fields: &[Fixed(57)], tags: Some(&[]), memory_bytes: 88 };

// Vote.topics.partitions 2
static A343: Array = Array { form: Compact, element: Inline(&S342), wire_bytes_min: 58, wire_is_fixed: false, memory_bytes: 88 };

// Vote.topics 2
static S344: Struct = Struct { fields: &[Text(Compact), Many(&A343)], tags: Some(&[]), memory_bytes: 80 };

// Vote.topics 2
static A345: Array = Array { form: Compact, element: Inline(&S344), wire_bytes_min: 3, wire_is_fixed: false, memory_bytes: 80 };

// Vote 2
static S346: Struct = Struct { fields: &[Text(CompactNullable), Fixed(4), Many(&A345)], tags: Some(&[]), memory_bytes: 88 };

// BeginQuorumEpoch.topics.partitions 0
static S347: Struct = Struct { fields: &[Fixed(12)], tags: None, memory_bytes: 56 };

// BeginQuorumEpoch.topics.partitions 0
static A348: Array = Array { form: Plain, element: Inline(&S347), wire_bytes_min: 12, wire_is_fixed: true, memory_bytes: 56 };

// BeginQuorumEpoch.topics 0
static S349: Struct = Struct { fields: &[Text(Plain), Many(&A348)], tags: None, memory_bytes: 80 };

// BeginQuorumEpoch.topics 0
static A350: Array = Array { form: Plain, element: Inline(&S349), wire_bytes_min: 6, wire_is_fixed: false, memory_bytes: 80 };

// BeginQuorumEpoch 0
static S351: Struct = Struct { fields: &[Text(PlainNullable), Many(&A350)], tags: None, memory_bytes: 112 };

// BeginQuorumEpoch.topics.partitions 1
static S352: Struct = Struct { fields: &[Fixed(28)], tags: Some(&[]), memory_bytes: 56 };

// BeginQuorumEpoch.topics.partitions 1
static A353: Array = Array { form: Compact, element: Inline(&S352), wire_bytes_min: 29, wire_is_fixed: false, memory_bytes: 56 };

// BeginQuorumEpoch.topics 1
static S354: Struct = Struct { fields: &[Text(Compact), Many(&A353)], tags: Some(&[]), memory_bytes: 80 };

// BeginQuorumEpoch.topics 1
static A355: Array = Array { form: Compact, element: Inline(&S354), wire_bytes_min: 3, wire_is_fixed: false, memory_bytes: 80 };

// BeginQuorumEpoch.leader_endpoints 1, EndQuorumEpoch.leader_endpoints 1, AddRaftVoter.listeners 0-1, UpdateRaftVoter.listeners 0
static S356: Struct = Struct { fields: &[Text(Compact), Text(Compact), Fixed(2)], tags: Some(&[]), memory_bytes: 96 };

// BeginQuorumEpoch.leader_endpoints 1, EndQuorumEpoch.leader_endpoints 1, AddRaftVoter.listeners 0-1, UpdateRaftVoter.listeners 0
static A357: Array = Array { form: Compact, element: Inline(&S356), wire_bytes_min: 5, wire_is_fixed: false, memory_bytes: 96 };

// BeginQuorumEpoch 1
static S358: Struct = Struct { fields: &[Text(CompactNullable), Fixed(4), Many(&A355), Many(&A357)], tags: Some(&[]), memory_bytes: 112 };

// EndQuorumEpoch.topics.partitions 0
static S359: Struct = Struct { fields: &[Fixed(12), Many(&A23)], tags: None, memory_bytes: 88 };

// EndQuorumEpoch.topics.partitions 0
static A360: Array = Array { form: Plain, element: Inline(&S359), wire_bytes_min: 16, wire_is_fixed: false, memory_bytes: 88 };

// EndQuorumEpoch.topics 0
static S361: Struct = Struct { fields: &[Text(Plain), Many(&A360)], tags: None, memory_bytes: 80 };

// EndQuorumEpoch.topics 0
static A362: Array = Array { form: Plain, element: Inline(&S361), wire_bytes_min: 6, wire_is_fixed: false, memory_bytes: 80 };

// EndQuorumEpoch 0
static S363: Struct = Struct { fields: &[Text(PlainNullable), Many(&A362)], tags: None, memory_bytes: 104 };

// EndQuorumEpoch.topics.partitions.preferred_candidates 1
static S364: Struct = Struct { fields: &[Fixed(20)], tags: Some(&[]), memory_bytes: 48 };

// EndQuorumEpoch.topics.partitions.preferred_candidates 1
static A365: Array = Array { form: Compact, element: Inline(&S364), wire_bytes_min: 21, wire_is_fixed: false, memory_bytes: 48 };

// EndQuorumEpoch.topics.partitions 1
static S366: Struct = Struct { fields: &[Fixed(12), Many(&A365)], tags: Some(&[]), memory_bytes: 88 };

// EndQuorumEpoch.topics.partitions 1
static A367: Array = Array { form: Compact, element: Inline(&S366), wire_bytes_min: 14, wire_is_fixed: false, memory_bytes: 88 };

// EndQuorumEpoch.topics 1
static S368: Struct = Struct { fields: &[Text(Compact), Many(&A367)], tags: Some(&[]), memory_bytes: 80 };

// EndQuorumEpoch.topics 1
static A369: Array = Array { form: Compact, element: Inline(&S368), wire_bytes_min: 3, wire_is_fixed: false, memory_bytes: 80 };

// EndQuorumEpoch 1
static S370: Struct = Struct { fields: &[Text(CompactNullable), Many(&A369), Many(&A357)], tags: Some(&[]), memory_bytes: 104 };

// DescribeQuorum.topics.partitions 0-2, UnregisterBroker 0, AssignReplicasToDirs.directories.topics.partitions 0, UpdateRaftVoter.kraft_version_feature 0 and 1 more
static S371: Struct = Struct { fields: &[Fixed(4)], tags: Some(&[]), memory_bytes: 32 };

// DescribeQuorum.topics.partitions 0-2, AssignReplicasToDirs.directories.topics.partitions 0, DeleteShareGroupState.topics.partitions 0
static A372: Array = Array { form: Compact, element: Inline(&S371), wire_bytes_min: 5, wire_is_fixed: false, memory_bytes: 32 };

// DescribeQuorum.topics 0-2
static S373: Struct = Struct { fields: &[Text(Compact), Many(&A372)], tags: Some(&[]), memory_bytes: 80 };

// DescribeQuorum.topics 0-2
static A374: Array = Array { form: Compact, element: Inline(&S373), wire_bytes_min: 3, wire_is_fixed: false, memory_bytes: 80 };

// DescribeQuorum 0-2
static S375: Struct = Struct { fields: &[Many(&A374)], tags: Some(&[]), memory_bytes: 48 };

// AlterPartition.topics.partitions 2
static S376: Struct = Struct { fields: &[Fixed(8), Many(&A37), Fixed(5)], tags: Some(&[]), memory_bytes: 88 };

// AlterPartition.topics.partitions 2
static A377: Array = Array { form: Compact, element: Inline(&S376), wire_bytes_min: 15, wire_is_fixed: false, memory_bytes: 88 };

// AlterPartition.topics 2
static S378: Struct = Struct { fields: &[Fixed(16), Many(&A377)], tags: Some(&[]), memory_bytes: 64 };

// AlterPartition.topics 2
static A379: Array = Array { form: Compact, element: Inline(&S378), wire_bytes_min: 18, wire_is_fixed: false, memory_bytes: 64 };

// AlterPartition 2
static S380: Struct = Struct { fields: &[Fixed(12), Many(&A379)], tags: Some(&[]), memory_bytes: 64 };

// AlterPartition.topics.partitions 3
static S381: Struct = Struct { fields: &[Fixed(8), Many(&A190), Fixed(5)], tags: Some(&[]), memory_bytes: 88 };

// AlterPartition.topics.partitions 3
static A382: Array = Array { form: Compact, element: Inline(&S381), wire_bytes_min: 15, wire_is_fixed: false, memory_bytes: 88 };

// AlterPartition.topics 3
static S383: Struct = Struct { fields: &[Fixed(16), Many(&A382)], tags: Some(&[]), memory_bytes: 64 };

// AlterPartition.topics 3
static A384: Array = Array { form: Compact, element: Inline(&S383), wire_bytes_min: 18, wire_is_fixed: false, memory_bytes: 64 };

// AlterPartition 3
static S385: Struct = Struct { fields: &[Fixed(12), Many(&A384)], tags: Some(&[]), memory_bytes: 64 };

// UpdateFeatures.feature_updates 0-2
static S386: Struct = Struct { fields: &[Text(Compact), Fixed(3)], tags: Some(&[]), memory_bytes: 64 };

// UpdateFeatures.feature_updates 0-2
static A387: Array = Array { form: Compact, element: Inline(&S386), wire_bytes_min: 5, wire_is_fixed: false, memory_bytes: 64 };

// UpdateFeatures 0
static S388: Struct = Struct { fields: &[Fixed(4), Many(&A387)], tags: Some(&[]), memory_bytes: 56 };

// UpdateFeatures 1-2
static S389: Struct = Struct { fields: &[Fixed(4), Many(&A387), Fixed(1)], tags: Some(&[]), memory_bytes: 56 };

// Envelope 0
static S390: Struct = Struct { fields: &[Blob(Compact), Blob(CompactNullable), Blob(Compact)], tags: Some(&[]), memory_bytes: 120 };

// FetchSnapshot.topics.partitions 0
static S391: Struct = Struct { fields: &[Fixed(8), Inline(&S46), Fixed(8)], tags: Some(&[(0, NotInThisVersion)]), memory_bytes: 96 };

// FetchSnapshot.topics.partitions 0
static A392: Array = Array { form: Compact, element: Inline(&S391), wire_bytes_min: 30, wire_is_fixed: false, memory_bytes: 96 };

// FetchSnapshot.topics 0
static S393: Struct = Struct { fields: &[Text(Compact), Many(&A392)], tags: Some(&[]), memory_bytes: 80 };

// FetchSnapshot.topics 0
static A394: Array = Array { form: Compact, element: Inline(&S393), wire_bytes_min: 3, wire_is_fixed: false, memory_bytes: 80 };

// FetchSnapshot 0
static S395: Struct = Struct { fields: &[Fixed(8), Many(&A394)], tags: Some(&[(0, Text(CompactNullable))]), memory_bytes: 88 };

// FetchSnapshot.topics.partitions 1
static S396: Struct = Struct { fields: &[Fixed(8), Inline(&S46), Fixed(8)], tags: Some(&[(0, Fixed(16))]), memory_bytes: 96 };

// FetchSnapshot.topics.partitions 1
static A397: Array = Array { form: Compact, element: Inline(&S396), wire_bytes_min: 30, wire_is_fixed: false, memory_bytes: 96 };

// FetchSnapshot.topics 1
static S398: Struct = Struct { fields: &[Text(Compact), Many(&A397)], tags: Some(&[]), memory_bytes: 80 };

// FetchSnapshot.topics 1
static A399: Array = Array { form: Compact, element: Inline(&S398), wire_bytes_min: 3, wire_is_fixed: false, memory_bytes: 80 };

// FetchSnapshot 1
static S400: Struct = Struct { fields: &[Fixed(8), Many(&A399)], tags: Some(&[(0, Text(CompactNullable))]), memory_bytes: 88 };

// DescribeCluster 0
static S401: Struct = Struct { fields: &[Fixed(1)], tags: Some(&[]), memory_bytes: 32 };

// DescribeCluster 1
static S402: Struct = Struct { fields: &[Fixed(2)], tags: Some(&[]), memory_bytes: 32 };

// DescribeCluster 2
static S403: Struct = Struct { fields: &[Fixed(3)], tags: Some(&[]), memory_bytes: 32 };

// DescribeProducers 0
static S404: Struct = Struct { fields: &[Many(&A201)], tags: Some(&[]), memory_bytes: 48 };

// BrokerRegistration.listeners 0-4, ControllerRegistration.listeners 0
static S405: Struct = Struct { fields: &[Text(Compact), Text(Compact), Fixed(4)], tags: Some(&[]), memory_bytes: 96 };

// BrokerRegistration.listeners 0-4, ControllerRegistration.listeners 0
static A406: Array = Array { form: Compact, element: Inline(&S405), wire_bytes_min: 7, wire_is_fixed: false, memory_bytes: 96 };

// BrokerRegistration.features 0-4, ControllerRegistration.features 0, DescribeTopicPartitions.cursor 0
static S407: Struct = Struct { fields: &[Text(Compact), Fixed(4)], tags: Some(&[]), memory_bytes: 64 };

// BrokerRegistration.features 0-4, ControllerRegistration.features 0
static A408: Array = Array { form: Compact, element: Inline(&S407), wire_bytes_min: 6, wire_is_fixed: false, memory_bytes: 64 };

// BrokerRegistration 0
static S409: Struct = Struct { fields: &[Fixed(4), Text(Compact), Fixed(16), Many(&A406), Many(&A408), Text(CompactNullable)], tags: Some(&[]), memory_bytes: 192 };

// BrokerRegistration 1
static S410: Struct = Struct { fields: &[Fixed(4), Text(Compact), Fixed(16), Many(&A406), Many(&A408), Text(CompactNullable), Fixed(1)], tags: Some(&[]), memory_bytes: 192 };

// BrokerRegistration.log_dirs 2-4, BrokerHeartbeat.offline_log_dirs 1-2
static A411: Array = Array { form: Compact, element: Fixed(16), wire_bytes_min: 16, wire_is_fixed: true, memory_bytes: 16 };

// BrokerRegistration 2
static S412: Struct = Struct { fields: &[Fixed(4), Text(Compact), Fixed(16), Many(&A406), Many(&A408), Text(CompactNullable), Fixed(1), Many(&A411)], tags: Some(&[]), memory_bytes: 192 };

// BrokerRegistration 3-4
static S413: Struct = Struct { fields: &[Fixed(4), Text(Compact), Fixed(16), Many(&A406), Many(&A408), Text(CompactNullable), Fixed(1), Many(&A411), Fixed(8)], tags: Some(&[]), memory_bytes: 192 };

// BrokerHeartbeat 0
static S414: Struct = Struct { fields: &[Fixed(22)], tags: Some(&[(0, NotInThisVersion), (1, NotInThisVersion)]), memory_bytes: 96 };

// BrokerHeartbeat 1
static S415: Struct = Struct { fields: &[Fixed(22)], tags: Some(&[(0, Many(&A411)), (1, NotInThisVersion)]), memory_bytes: 96 };

// BrokerHeartbeat.cordoned_log_dirs 2
static A416: Array = Array { form: CompactNullable, element: Fixed(16), wire_bytes_min: 16, wire_is_fixed: true, memory_bytes: 16 };

// BrokerHeartbeat 2
static S417: Struct = Struct { fields: &[Fixed(22)], tags: Some(&[(0, Many(&A411)), (1, Many(&A416))]), memory_bytes: 96 };

// ListTransactions.producer_id_filters 0-2
static A418: Array = Array { form: Compact, element: Fixed(8), wire_bytes_min: 8, wire_is_fixed: true, memory_bytes: 8 };

// ListTransactions 0
static S419: Struct = Struct { fields: &[Many(&A131), Many(&A418)], tags: Some(&[]), memory_bytes: 112 };

// ListTransactions 1
static S420: Struct = Struct { fields: &[Many(&A131), Many(&A418), Fixed(8)], tags: Some(&[]), memory_bytes: 112 };

// ListTransactions 2
static S421: Struct = Struct { fields: &[Many(&A131), Many(&A418), Fixed(8), Text(CompactNullable)], tags: Some(&[]), memory_bytes: 112 };

// ConsumerGroupHeartbeat.topic_partitions 0-1, ShareFetch.forgotten_topics_data 1-2
static S422: Struct = Struct { fields: &[Fixed(16), Many(&A37)], tags: Some(&[]), memory_bytes: 64 };

// ConsumerGroupHeartbeat.topic_partitions 0-1
static A423: Array = Array { form: CompactNullable, element: Inline(&S422), wire_bytes_min: 18, wire_is_fixed: false, memory_bytes: 64 };

// ConsumerGroupHeartbeat 0
static S424: Struct = Struct { fields: &[Text(Compact), Text(Compact), Fixed(4), Text(CompactNullable), Text(CompactNullable), Fixed(4), Many(&A242), Text(CompactNullable), Many(&A423)], tags: Some(&[]), memory_bytes: 272 };

// ConsumerGroupHeartbeat 1
static S425: Struct = Struct { fields: &[Text(Compact), Text(Compact), Fixed(4), Text(CompactNullable), Text(CompactNullable), Fixed(4), Many(&A242), Text(CompactNullable), Text(CompactNullable), Many(&A423)], tags: Some(&[]), memory_bytes: 272 };

// ControllerRegistration 0
static S426: Struct = Struct { fields: &[Fixed(21), Many(&A406), Many(&A408)], tags: Some(&[]), memory_bytes: 96 };

// PushTelemetry 0
static S427: Struct = Struct { fields: &[Fixed(22), Blob(Compact)], tags: Some(&[]), memory_bytes: 80 };

// AssignReplicasToDirs.directories.topics 0, DeleteShareGroupState.topics 0
static S428: Struct = Struct { fields: &[Fixed(16), Many(&A372)], tags: Some(&[]), memory_bytes: 64 };

// AssignReplicasToDirs.directories.topics 0, DeleteShareGroupState.topics 0
static A429: Array = Array { form: Compact, element: Inline(&S428), wire_bytes_min: 18, wire_is_fixed: false, memory_bytes: 64 };

// AssignReplicasToDirs.directories 0
static S430: Struct = Struct { fields: &[Fixed(16), Many(&A429)], tags: Some(&[]), memory_bytes: 64 };

// AssignReplicasToDirs.directories 0
static A431: Array = Array { form: Compact, element: Inline(&S430), wire_bytes_min: 18, wire_is_fixed: false, memory_bytes: 64 };

// AssignReplicasToDirs 0
static S432: Struct = Struct { fields: &[Fixed(12), Many(&A431)], tags: Some(&[]), memory_bytes: 64 };

// ListConfigResources 0
static S433: Struct = Struct { fields: &[], tags: Some(&[]), memory_bytes: 48 };

// ListConfigResources.resource_types 1, ShareFetch.topics.partitions.acknowledgement_batches.acknowledge_types 1-2, ShareAcknowledge.topics.partitions.acknowledgement_batches.acknowledge_types 1-2
static A434: Array = Array { form: Compact, element: Fixed(1), wire_bytes_min: 1, wire_is_fixed: true, memory_bytes: 1 };

// ListConfigResources 1
static S435: Struct = Struct { fields: &[Many(&A434)], tags: Some(&[]), memory_bytes: 48 };

// DescribeTopicPartitions.topics 0, DeleteShareGroupOffsets.topics 0
static A436: Array = Array { form: Compact, element: Inline(&S324), wire_bytes_min: 2, wire_is_fixed: false, memory_bytes: 56 };

// DescribeTopicPartitions 0
static S437: Struct = Struct { fields: &[Many(&A436), Fixed(4), NullableStruct(&S407)], tags: Some(&[]), memory_bytes: 128 };

// ShareGroupHeartbeat 1
static S438: Struct = Struct { fields: &[Text(Compact), Text(Compact), Fixed(4), Text(CompactNullable), Many(&A242)], tags: Some(&[]), memory_bytes: 152 };

// ShareFetch.topics.partitions.acknowledgement_batches 1-2, ShareAcknowledge.topics.partitions.acknowledgement_batches 1-2
static S439: Struct = Struct { fields: &[Fixed(16), Many(&A434)], tags: Some(&[]), memory_bytes: 64 };

// ShareFetch.topics.partitions.acknowledgement_batches 1-2, ShareAcknowledge.topics.partitions.acknowledgement_batches 1-2
static A440: Array = Array { form: Compact, element: Inline(&S439), wire_bytes_min: 18, wire_is_fixed: false, memory_bytes: 64 };

// ShareFetch.topics.partitions 1-2, ShareAcknowledge.topics.partitions 1-2
static S441: Struct = Struct { fields: &[Fixed(4), Many(&A440)], tags: Some(&[]), memory_bytes: 56 };

// ShareFetch.topics.partitions 1-2, ShareAcknowledge.topics.partitions 1-2
static A442: Array = Array { form: Compact, element: Inline(&S441), wire_bytes_min: 6, wire_is_fixed: false, memory_bytes: 56 };

// ShareFetch.topics 1-2, ShareAcknowledge.topics 1-2
static S443: Struct = Struct { fields: &[Fixed(16), Many(&A442)], tags: Some(&[]), memory_bytes: 64 };

// ShareFetch.topics 1-2, ShareAcknowledge.topics 1-2
static A444: Array = Array { form: Compact, element: Inline(&S443), wire_bytes_min: 18, wire_is_fixed: false, memory_bytes: 64 };

// ShareFetch.forgotten_topics_data 1-2
static A445: Array = Array { form: Compact, element: Inline(&S422), wire_bytes_min: 18, wire_is_fixed: false, memory_bytes: 64 };

// ShareFetch 1
static S446: Struct = Struct { fields: &[Text(CompactNullable), Text(CompactNullable), Fixed(24), Many(&A444), Many(&A445)], tags: Some(&[]), memory_bytes: 168 };

// ShareFetch 2
static S447: Struct = Struct { fields: &[Text(CompactNullable), Text(CompactNullable), Fixed(26), Many(&A444), Many(&A445)], tags: Some(&[]), memory_bytes: 168 };

// ShareAcknowledge 1
static S448: Struct = Struct { fields: &[Text(CompactNullable), Text(CompactNullable), Fixed(4), Many(&A444)], tags: Some(&[]), memory_bytes: 120 };

// ShareAcknowledge 2
static S449: Struct = Struct { fields: &[Text(CompactNullable), Text(CompactNullable), Fixed(5), Many(&A444)], tags: Some(&[]), memory_bytes: 120 };

// AddRaftVoter 0
static S450: Struct = Struct { fields: &[Text(CompactNullable), Fixed(24), Many(&A357)], tags: Some(&[]), memory_bytes: 112 };

// AddRaftVoter 1
static S451: Struct = Struct { fields: &[Text(CompactNullable), Fixed(24), Many(&A357), Fixed(1)], tags: Some(&[]), memory_bytes: 112 };

// RemoveRaftVoter 0
static S452: Struct = Struct { fields: &[Text(CompactNullable), Fixed(20)], tags: Some(&[]), memory_bytes: 80 };

// UpdateRaftVoter 0
static S453: Struct = Struct { fields: &[Text(CompactNullable), Fixed(24), Many(&A357), Inline(&S371)], tags: Some(&[]), memory_bytes: 136 };

// InitializeShareGroupState.topics 0
static S454: Struct = Struct { fields: &[Fixed(16), Many(&A70)], tags: Some(&[]), memory_bytes: 64 };

// InitializeShareGroupState.topics 0
static A455: Array = Array { form: Compact, element: Inline(&S454), wire_bytes_min: 18, wire_is_fixed: false, memory_bytes: 64 };

// InitializeShareGroupState 0
static S456: Struct = Struct { fields: &[Text(Compact), Many(&A455)], tags: Some(&[]), memory_bytes: 80 };

// ReadShareGroupState.topics.partitions 0, ReadShareGroupStateSummary.topics.partitions 0-1
static S457: Struct = Struct { fields: &[Fixed(8)], tags: Some(&[]), memory_bytes: 32 };

// ReadShareGroupState.topics.partitions 0, ReadShareGroupStateSummary.topics.partitions 0-1
static A458: Array = Array { form: Compact, element: Inline(&S457), wire_bytes_min: 9, wire_is_fixed: false, memory_bytes: 32 };

// ReadShareGroupState.topics 0, ReadShareGroupStateSummary.topics 0-1
static S459: Struct = Struct { fields: &[Fixed(16), Many(&A458)], tags: Some(&[]), memory_bytes: 64 };

// ReadShareGroupState.topics 0, ReadShareGroupStateSummary.topics 0-1
static A460: Array = Array { form: Compact, element: Inline(&S459), wire_bytes_min: 18, wire_is_fixed: false, memory_bytes: 64 };

// ReadShareGroupState 0, ReadShareGroupStateSummary 0-1
static S461: Struct = Struct { fields: &[Text(Compact), Many(&A460)], tags: Some(&[]), memory_bytes: 80 };

// WriteShareGroupState.topics.partitions.state_batches 0-1
static S462: Struct = Struct { fields: &[Fixed(19)], tags: Some(&[]), memory_bytes: 48 };

// WriteShareGroupState.topics.partitions.state_batches 0-1
static A463: Array = Array { form: Compact, element: Inline(&S462), wire_bytes_min: 20, wire_is_fixed: false, memory_bytes: 48 };

// WriteShareGroupState.topics.partitions 0
static S464: Struct = Struct { fields: &[Fixed(20), Many(&A463)], tags: Some(&[]), memory_bytes: 72 };

// WriteShareGroupState.topics.partitions 0
static A465: Array = Array { form: Compact, element: Inline(&S464), wire_bytes_min: 22, wire_is_fixed: false, memory_bytes: 72 };

// WriteShareGroupState.topics 0
static S466: Struct = Struct { fields: &[Fixed(16), Many(&A465)], tags: Some(&[]), memory_bytes: 64 };

// WriteShareGroupState.topics 0
static A467: Array = Array { form: Compact, element: Inline(&S466), wire_bytes_min: 18, wire_is_fixed: false, memory_bytes: 64 };

// WriteShareGroupState 0
static S468: Struct = Struct { fields: &[Text(Compact), Many(&A467)], tags: Some(&[]), memory_bytes: 80 };

// WriteShareGroupState.topics.partitions 1
static S469: Struct = Struct { fields: &[Fixed(24), Many(&A463)], tags: Some(&[]), memory_bytes: 72 };

// WriteShareGroupState.topics.partitions 1
static A470: Array = Array { form: Compact, element: Inline(&S469), wire_bytes_min: 26, wire_is_fixed: false, memory_bytes: 72 };

// WriteShareGroupState.topics 1
static S471: Struct = Struct { fields: &[Fixed(16), Many(&A470)], tags: Some(&[]), memory_bytes: 64 };

// WriteShareGroupState.topics 1
static A472: Array = Array { form: Compact, element: Inline(&S471), wire_bytes_min: 18, wire_is_fixed: false, memory_bytes: 64 };

// WriteShareGroupState 1
static S473: Struct = Struct { fields: &[Text(Compact), Many(&A472)], tags: Some(&[]), memory_bytes: 80 };

// DeleteShareGroupState 0
static S474: Struct = Struct { fields: &[Text(Compact), Many(&A429)], tags: Some(&[]), memory_bytes: 80 };

// StreamsGroupHeartbeat.topology.subtopologies.state_changelog_topics 0, StreamsGroupHeartbeat.topology.subtopologies.repartition_source_topics 0
static S475: Struct = Struct { fields: &[Text(Compact), Fixed(6), Many(&A275)], tags: Some(&[]), memory_bytes: 88 };

// StreamsGroupHeartbeat.topology.subtopologies.state_changelog_topics 0, StreamsGroupHeartbeat.topology.subtopologies.repartition_source_topics 0
static A476: Array = Array { form: Compact, element: Inline(&S475), wire_bytes_min: 9, wire_is_fixed: false, memory_bytes: 88 };

// StreamsGroupHeartbeat.topology.subtopologies.copartition_groups.source_topics 0, StreamsGroupHeartbeat.topology.subtopologies.copartition_groups.source_topic_regex 0, StreamsGroupHeartbeat.topology.subtopologies.copartition_groups.repartition_source_topics 0
static A477: Array = Array { form: Compact, element: Fixed(2), wire_bytes_min: 2, wire_is_fixed: true, memory_bytes: 2 };

// StreamsGroupHeartbeat.topology.subtopologies.copartition_groups 0
static S478: Struct = Struct { fields: &[Many(&A477), Many(&A477), Many(&A477)], tags: Some(&[]), memory_bytes: 96 };

// StreamsGroupHeartbeat.topology.subtopologies.copartition_groups 0
static A479: Array = Array { form: Compact, element: Inline(&S478), wire_bytes_min: 4, wire_is_fixed: false, memory_bytes: 96 };

// StreamsGroupHeartbeat.topology.subtopologies 0
static S480: Struct = Struct { fields: &[Text(Compact), Many(&A131), Many(&A131), Many(&A476), Many(&A131), Many(&A476), Many(&A479)], tags: Some(&[]), memory_bytes: 200 };

// StreamsGroupHeartbeat.topology.subtopologies 0
static A481: Array = Array { form: Compact, element: Inline(&S480), wire_bytes_min: 8, wire_is_fixed: false, memory_bytes: 200 };

// StreamsGroupHeartbeat.topology 0
static S482: Struct = Struct { fields: &[Fixed(4), Many(&A481)], tags: Some(&[]), memory_bytes: 56 };

// StreamsGroupHeartbeat.user_endpoint 0
static S483: Struct = Struct { fields: &[Text(Compact), Fixed(2)], tags: Some(&[]), memory_bytes: 64 };

// StreamsGroupHeartbeat.task_offsets 0, StreamsGroupHeartbeat.task_end_offsets 0
static S484: Struct = Struct { fields: &[Text(Compact), Fixed(12)], tags: Some(&[]), memory_bytes: 72 };

// StreamsGroupHeartbeat.task_offsets 0, StreamsGroupHeartbeat.task_end_offsets 0
static A485: Array = Array { form: CompactNullable, element: Inline(&S484), wire_bytes_min: 14, wire_is_fixed: false, memory_bytes: 72 };

// StreamsGroupHeartbeat 0
static S486: Struct = Struct { fields: &[Text(Compact), Text(Compact), Fixed(8), Text(CompactNullable), Text(CompactNullable), Fixed(4), NullableStruct(&S482), Many(&A114), Many(&A114), Many(&A114), Text(CompactNullable), NullableStruct(&S483), Many(&A282), Many(&A485), Many(&A485), Fixed(1)], tags: Some(&[]), memory_bytes: 480 };

// DescribeShareGroupOffsets.groups 0-1
static S487: Struct = Struct { fields: &[Text(Compact), Many(&A114)], tags: Some(&[]), memory_bytes: 80 };

// DescribeShareGroupOffsets.groups 0-1
static A488: Array = Array { form: Compact, element: Inline(&S487), wire_bytes_min: 3, wire_is_fixed: false, memory_bytes: 80 };

// DescribeShareGroupOffsets 0-1
static S489: Struct = Struct { fields: &[Many(&A488)], tags: Some(&[]), memory_bytes: 48 };

// AlterShareGroupOffsets 0
static S490: Struct = Struct { fields: &[Text(Compact), Many(&A192)], tags: Some(&[]), memory_bytes: 80 };

// DeleteShareGroupOffsets 0
static S491: Struct = Struct { fields: &[Text(Compact), Many(&A436)], tags: Some(&[]), memory_bytes: 80 };

/// By API key; a key that serves no version has none.
static REQUESTS: [Option<Request>; 93] = [
    Some(Request { min: 3, versions: &[&S4, &S4, &S4, &S4, &S4, &S4, &S9, &S9, &S9, &S9, &S12] }), // 0 Produce
    Some(Request { min: 4, versions: &[&S17, &S22, &S22, &S26, &S26, &S31, &S31, &S32, &S40, &S45, &S45, &S47, &S47, &S52, &S57] }), // 1 Fetch
    Some(Request { min: 1, versions: &[&S62, &S63, &S63, &S68, &S68, &S73, &S73, &S73, &S73, &S74, &S74] }), // 2 ListOffsets
    Some(Request { min: 0, versions: &[&S77, &S79, &S79, &S79, &S80, &S80, &S80, &S80, &S81, &S84, &S87, &S88, &S88, &S88] }), // 3 Metadata
    None, // 4 LeaderAndIsr
    None, // 5 StopReplica
    None, // 6 UpdateMetadata
    None, // 7 ControlledShutdown
    Some(Request { min: 2, versions: &[&S93, &S93, &S93, &S94, &S99, &S100, &S104, &S104, &S107] }), // 8 OffsetCommit
    Some(Request { min: 1, versions: &[&S110, &S112, &S112, &S112, &S112, &S115, &S116, &S120, &S123, &S127] }), // 9 OffsetFetch
    Some(Request { min: 0, versions: &[&S128, &S129, &S129, &S130, &S132, &S132, &S132] }), // 10 FindCoordinator
    Some(Request { min: 0, versions: &[&S135, &S136, &S136, &S136, &S136, &S137, &S140, &S140, &S141, &S141] }), // 11 JoinGroup
    Some(Request { min: 0, versions: &[&S142, &S142, &S142, &S143, &S144] }), // 12 Heartbeat
    Some(Request { min: 0, versions: &[&S145, &S145, &S145, &S148, &S151, &S154] }), // 13 LeaveGroup
    Some(Request { min: 0, versions: &[&S155, &S155, &S155, &S156, &S157, &S158] }), // 14 SyncGroup
    Some(Request { min: 0, versions: &[&S160, &S160, &S160, &S161, &S161, &S162, &S162] }), // 15 DescribeGroups
    Some(Request { min: 0, versions: &[&S163, &S163, &S163, &S164, &S165, &S166] }), // 16 ListGroups
    Some(Request { min: 0, versions: &[&S167, &S167] }), // 17 SaslHandshake
    Some(Request { min: 0, versions: &[&S168, &S168, &S168, &S169, &S169] }), // 18 ApiVersions
    Some(Request { min: 2, versions: &[&S176, &S176, &S176, &S183, &S183, &S183] }), // 19 CreateTopics
    Some(Request { min: 1, versions: &[&S184, &S184, &S184, &S185, &S185, &S188] }), // 20 DeleteTopics
    Some(Request { min: 0, versions: &[&S189, &S189, &S193] }), // 21 DeleteRecords
    Some(Request { min: 0, versions: &[&S194, &S194, &S195, &S196, &S196, &S196] }), // 22 InitProducerId
    Some(Request { min: 2, versions: &[&S197, &S198, &S199] }), // 23 OffsetForLeaderEpoch
    Some(Request { min: 0, versions: &[&S200, &S200, &S200, &S202, &S205, &S205] }), // 24 AddPartitionsToTxn
    Some(Request { min: 0, versions: &[&S206, &S206, &S206, &S207, &S207] }), // 25 AddOffsetsToTxn
    Some(Request { min: 0, versions: &[&S208, &S208, &S208, &S209, &S209, &S209] }), // 26 EndTxn
    Some(Request { min: 1, versions: &[&S212, &S215] }), // 27 WriteTxnMarkers
    Some(Request { min: 0, versions: &[&S218, &S218, &S221, &S224, &S224, &S224] }), // 28 TxnOffsetCommit
    Some(Request { min: 1, versions: &[&S225, &S226, &S226] }), // 29 DescribeAcls
    Some(Request { min: 1, versions: &[&S229, &S232, &S232] }), // 30 CreateAcls
    Some(Request { min: 1, versions: &[&S234, &S236, &S236] }), // 31 DeleteAcls
    Some(Request { min: 1, versions: &[&S240, &S240, &S241, &S245] }), // 32 DescribeConfigs
    Some(Request { min: 0, versions: &[&S248, &S248, &S251] }), // 33 AlterConfigs
    Some(Request { min: 1, versions: &[&S254, &S257] }), // 34 AlterReplicaLogDirs
    Some(Request { min: 1, versions: &[&S258, &S259, &S259, &S259, &S259] }), // 35 DescribeLogDirs
    Some(Request { min: 0, versions: &[&S260, &S260, &S261] }), // 36 SaslAuthenticate
    Some(Request { min: 0, versions: &[&S266, &S266, &S271, &S271] }), // 37 CreatePartitions
    Some(Request { min: 1, versions: &[&S274, &S276, &S277] }), // 38 CreateDelegationToken
    Some(Request { min: 1, versions: &[&S278, &S279] }), // 39 RenewDelegationToken
    Some(Request { min: 1, versions: &[&S278, &S279] }), // 40 ExpireDelegationToken
    Some(Request { min: 1, versions: &[&S281, &S283, &S283] }), // 41 DescribeDelegationToken
    Some(Request { min: 0, versions: &[&S284, &S284, &S285] }), // 42 DeleteGroups
    Some(Request { min: 0, versions: &[&S286, &S287, &S288] }), // 43 ElectLeaders
    Some(Request { min: 0, versions: &[&S293, &S298] }), // 44 IncrementalAlterConfigs
    Some(Request { min: 0, versions: &[&S304, &S305] }), // 45 AlterPartitionReassignments
    Some(Request { min: 0, versions: &[&S306] }), // 46 ListPartitionReassignments
    Some(Request { min: 0, versions: &[&S311] }), // 47 OffsetDelete
    Some(Request { min: 0, versions: &[&S312, &S313] }), // 48 DescribeClientQuotas
    Some(Request { min: 0, versions: &[&S318, &S323] }), // 49 AlterClientQuotas
    Some(Request { min: 0, versions: &[&S326] }), // 50 DescribeUserScramCredentials
    Some(Request { min: 0, versions: &[&S331] }), // 51 AlterUserScramCredentials
    Some(Request { min: 0, versions: &[&S336, &S341, &S346] }), // 52 Vote
    Some(Request { min: 0, versions: &[&S351, &S358] }), // 53 BeginQuorumEpoch
    Some(Request { min: 0, versions: &[&S363, &S370] }), // 54 EndQuorumEpoch
    Some(Request { min: 0, versions: &[&S375, &S375, &S375] }), // 55 DescribeQuorum
    Some(Request { min: 2, versions: &[&S380, &S385] }), // 56 AlterPartition
    Some(Request { min: 0, versions: &[&S388, &S389, &S389] }), // 57 UpdateFeatures
    Some(Request { min: 0, versions: &[&S390] }), // 58 Envelope
    Some(Request { min: 0, versions: &[&S395, &S400] }), // 59 FetchSnapshot
    Some(Request { min: 0, versions: &[&S401, &S402, &S403] }), // 60 DescribeCluster
    Some(Request { min: 0, versions: &[&S404] }), // 61 DescribeProducers
    Some(Request { min: 0, versions: &[&S409, &S410, &S412, &S413, &S413] }), // 62 BrokerRegistration
    Some(Request { min: 0, versions: &[&S414, &S415, &S417] }), // 63 BrokerHeartbeat
    Some(Request { min: 0, versions: &[&S371] }), // 64 UnregisterBroker
    Some(Request { min: 0, versions: &[&S285] }), // 65 DescribeTransactions
    Some(Request { min: 0, versions: &[&S419, &S420, &S421] }), // 66 ListTransactions
    Some(Request { min: 0, versions: &[&S46] }), // 67 AllocateProducerIds
    Some(Request { min: 0, versions: &[&S424, &S425] }), // 68 ConsumerGroupHeartbeat
    Some(Request { min: 0, versions: &[&S162, &S162] }), // 69 ConsumerGroupDescribe
    Some(Request { min: 0, versions: &[&S426] }), // 70 ControllerRegistration
    Some(Request { min: 0, versions: &[&S69] }), // 71 GetTelemetrySubscriptions
    Some(Request { min: 0, versions: &[&S427] }), // 72 PushTelemetry
    Some(Request { min: 0, versions: &[&S432] }), // 73 AssignReplicasToDirs
    Some(Request { min: 0, versions: &[&S433, &S435] }), // 74 ListConfigResources
    Some(Request { min: 0, versions: &[&S437] }), // 75 DescribeTopicPartitions
    Some(Request { min: 1, versions: &[&S438] }), // 76 ShareGroupHeartbeat
    Some(Request { min: 1, versions: &[&S162] }), // 77 ShareGroupDescribe
    Some(Request { min: 1, versions: &[&S446, &S447] }), // 78 ShareFetch
    Some(Request { min: 1, versions: &[&S448, &S449] }), // 79 ShareAcknowledge
    Some(Request { min: 0, versions: &[&S450, &S451] }), // 80 AddRaftVoter
    Some(Request { min: 0, versions: &[&S452] }), // 81 RemoveRaftVoter
    Some(Request { min: 0, versions: &[&S453] }), // 82 UpdateRaftVoter
    Some(Request { min: 0, versions: &[&S456] }), // 83 InitializeShareGroupState
    Some(Request { min: 0, versions: &[&S461] }), // 84 ReadShareGroupState
    Some(Request { min: 0, versions: &[&S468, &S473] }), // 85 WriteShareGroupState
    Some(Request { min: 0, versions: &[&S474] }), // 86 DeleteShareGroupState
    Some(Request { min: 0, versions: &[&S461, &S461] }), // 87 ReadShareGroupStateSummary
    Some(Request { min: 0, versions: &[&S486] }), // 88 StreamsGroupHeartbeat
    Some(Request { min: 0, versions: &[&S162] }), // 89 StreamsGroupDescribe
    Some(Request { min: 0, versions: &[&S489, &S489] }), // 90 DescribeShareGroupOffsets
    Some(Request { min: 0, versions: &[&S490] }), // 91 AlterShareGroupOffsets
    Some(Request { min: 0, versions: &[&S491] }), // 92 DeleteShareGroupOffsets
];

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewPartitionReassignment;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.common.ElectionType;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.TopicPartitionReplica;
import org.apache.kafka.common.errors.ElectionNotNeededException;
import org.apache.kafka.common.errors.InvalidReplicaAssignmentException;
import org.apache.kafka.common.errors.NoReassignmentInProgressException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;

/** What the Java admin client of this release tells operators; older ones lack some of it. */
final class Operating {
    static final Map<String, Suite.Part> PARTS = Map.of("operation", Operating::operation);

    private Operating() {}

    public static void main(String[] args) throws Exception {
        Suite.play(PARTS, args);
    }

    private static <T> T answer(KafkaFuture<T> answer) throws Exception {
        return answer.get(20, TimeUnit.SECONDS);
    }

    /** What operators look at, and the elections and moves that one broker has no use for. */
    private static void operation(String[] words) throws Exception {
        String name = words[1];
        try (Admin admin = Admin.create(Suite.settings(words[0]))) {
            answer(admin.createTopics(List.of(new NewTopic(name, Optional.of(2), Optional.empty()))).all());
            TopicPartition first = new TopicPartition(name, 0);
            TopicPartition absent = new TopicPartition(name, 2);
            int node = answer(admin.describeCluster().nodes()).iterator().next().id();
            try (var producer = Suite.producer(words[0])) {
                Suite.write(producer, name, 0, 10);
            }

            var dirs = answer(admin.describeLogDirs(List.of(node)).allDescriptions()).get(node);
            Suite.expectEqual(dirs.size(), 1, "the data directories");
            var dir = dirs.values().iterator().next();
            Suite.expect(dir.error() == null, "the directory is well: " + dir.error());
            Suite.expect(!dir.isCordoned(), "nobody cordoned the directory off");
            Suite.expect(dir.totalBytes().getAsLong() > dir.usableBytes().getAsLong(), "the volume: " + dir);
            Suite.expect(dir.replicaInfos().get(first).size() > 0, "the partition with records has bytes");
            Suite.expectEqual(dir.replicaInfos().get(new TopicPartition(name, 1)).size(), 0L, "bytes of the empty one");
            Suite.expect(!dir.replicaInfos().containsKey(absent), "a partition too many");
            TopicPartitionReplica replica = new TopicPartitionReplica(name, 0, node);
            var where = answer(admin.describeReplicaLogDirs(List.of(replica)).all()).get(replica);
            Suite.expect(dirs.containsKey(where.getCurrentReplicaLogDir()), "the replica's directory: " + where);

            var producer = answer(admin.describeProducers(List.of(first)).all()).get(first).activeProducers();
            Suite.expectEqual(producer.size(), 1, "producers of the partition");
            Suite.expectEqual(producer.get(0).lastSequence(), 9, "the last sequence");
            Suite.expect(producer.get(0).currentTransactionStartOffset().isEmpty(), "a transaction is open");

            var quorum = answer(admin.describeMetadataQuorum().quorumInfo());
            Suite.expectEqual(quorum.leaderId(), node, "the quorum's leader");
            Suite.expectEqual(quorum.voters().size(), 1, "the voters");
            Suite.expect(quorum.voters().get(0).logEndOffset() >= quorum.highWatermark(), "the quorum: " + quorum);
            Suite.expect(quorum.highWatermark() > 0 && quorum.nodes().containsKey(node), "the quorum: " + quorum);

            var elected = answer(admin.electLeaders(ElectionType.PREFERRED, Set.of(first, absent)).partitions());
            Suite.expect(elected.get(first).get() instanceof ElectionNotNeededException, "elected: " + elected);
            Suite.expect(elected.get(absent).get() instanceof UnknownTopicOrPartitionException, "elected: " + elected);
            Suite.expectEqual(answer(admin.electLeaders(ElectionType.UNCLEAN, null).partitions()).size(), 0, "elections of all");

            Suite.expectEqual(answer(admin.listPartitionReassignments().reassignments()).size(), 0, "reassignments");
            var here = Map.of(first, Optional.of(new NewPartitionReassignment(List.of(node))));
            answer(admin.alterPartitionReassignments(here).all());
            var away = Map.of(first, Optional.of(new NewPartitionReassignment(List.of(node + 1))));
            Suite.expectFailure(InvalidReplicaAssignmentException.class, admin.alterPartitionReassignments(away).all());
            var nothing = Map.of(first, Optional.<NewPartitionReassignment>empty());
            Suite.expectFailure(NoReassignmentInProgressException.class, admin.alterPartitionReassignments(nothing).all());
        }
    }
}

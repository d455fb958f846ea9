//! A record as a line for people, as kafka-console-consumer prints it: the fields asked for and the value, between tabs.

use storage::Record;

use super::Field;

/// The line with its end. The bytes of key and value are what they are.
pub(super) fn line(fields: &[Field], topic: &str, partition: i32, record: &Record<'_>) -> Vec<u8> {
    let mut fields = fields.to_vec();
    fields.sort_unstable();
    fields.dedup();
    let mut line = Vec::new();
    for field in fields {
        match field {
            Field::Topic => line.extend(format!("Topic:{topic}").bytes()),
            Field::Time => line.extend(format!("CreateTime:{}", record.timestamp).bytes()),
            Field::Partition => line.extend(format!("Partition:{partition}").bytes()),
            Field::Offset => line.extend(format!("Offset:{}", record.offset.0).bytes()),
            Field::Headers => headers(record, &mut line),
            Field::Key => line.extend(record.key.as_deref().unwrap_or(b"null")),
        }
        line.push(b'\t');
    }
    line.extend(record.value.as_deref().unwrap_or(b"null"));
    line.push(b'\n');
    line
}

fn headers(record: &Record<'_>, line: &mut Vec<u8>) {
    if record.headers.is_empty() {
        line.extend(b"NO_HEADERS");
    }
    for (index, header) in record.headers.iter().enumerate() {
        if index > 0 {
            line.push(b',');
        }
        line.extend(&*header.key);
        line.push(b':');
        line.extend(header.value.as_deref().unwrap_or(b"null"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use storage::{BatchBuilder, records};

    #[test]
    fn lines_are_those_of_kafkas_console() {
        let batch = BatchBuilder::new(5)
            .push(Some(b"k"), Some(b"v"), &[("a", Some(b"1")), ("b", None)])
            .push(None, None, &[])
            .build();
        let lines: Vec<String> = records(&batch)
            .unwrap()
            .map(|record| {
                let fields = [Field::Key, Field::Time, Field::Headers, Field::Partition, Field::Offset];
                String::from_utf8(line(&fields, "t", 2, &record.unwrap())).unwrap()
            })
            .collect();
        assert_eq!(lines[0], "CreateTime:5\tPartition:2\tOffset:0\ta:1,b:null\tk\tv\n");
        assert_eq!(lines[1], "CreateTime:5\tPartition:2\tOffset:1\tNO_HEADERS\tnull\tnull\n");
        let bare = records(&batch).unwrap().next().unwrap().unwrap();
        assert_eq!(line(&[], "t", 2, &bare), b"v\n");
    }
}

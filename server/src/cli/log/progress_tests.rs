use super::*;
use storage::env::SimClock;

fn play(is_terminal: bool, seconds: u64) -> String {
    let (clock, mut err) = (SimClock::new(), Vec::new());
    let mut progress = Progress::new(&clock, &mut err, is_terminal);
    progress.expect(400 * LOOK_BYTES);
    for _ in 0..seconds * 10 {
        clock.advance(Duration::from_millis(100));
        progress.add(LOOK_BYTES);
    }
    progress.clear();
    String::from_utf8(err).unwrap()
}

#[test]
fn nothing_is_said_of_what_is_done_in_a_second() {
    assert_eq!(play(true, 0), "");
    assert_eq!(play(false, 9), "");
    let (clock, mut err) = (SimClock::new(), Vec::new());
    let mut progress = Progress::new(&clock, &mut err, true);
    clock.advance(Duration::from_millis(999));
    progress.add(LOOK_BYTES);
    progress.clear();
    assert!(err.is_empty());
}

#[test]
fn a_terminal_is_redrawn_five_times_a_second_and_left_clean() {
    let said = play(true, 3);
    assert_eq!(said.matches("left").count(), 11, "{said:?}");
    assert!(said.starts_with("\r\x1b[K10 of 419 MB, 10 MB/s, 0:39 left"), "{said:?}");
    assert!(said.ends_with("left\r\x1b[K") && !said.contains('\n'), "{said:?}");
}

#[test]
fn elsewhere_a_line_comes_every_ten_seconds() {
    let said = play(false, 25);
    assert_eq!(
        said, "104 of 419 MB, 10 MB/s, 0:30 left\n209 of 419 MB, 10 MB/s, 0:20 left\n",
        "no control characters in a file"
    );
}

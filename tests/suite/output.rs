//! Whatever a job prints: nothing is lost, nothing secret shows, the job is never blocked, and memory stays bounded.

use std::fs;

use spiderpig::spool::JobId;
use spiderpig::spool::log::RecordKind;
use spiderpig::spool::status::State;

use crate::hostile::HostileSpool;
use crate::support::wait_for;

/// What a supervisor may need at most, in KiB.
const MEMORY: u64 = 64 << 10;

/// The most memory that the supervisor of a job has needed so far, in KiB.
fn peak_memory(spool: &HostileSpool, id: JobId) -> u64 {
    let supervisor = wait_for("it says who leads it", || spool.status(id)?.supervisor);
    let status = fs::read_to_string(format!("/proc/{}/status", supervisor.pid)).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn text_directly_before_a_message_is_a_line_and_the_prompt_is_seen() {
    let spool = HostileSpool::new();
    let id = spool.shell("printf 'Doing it...'; ask go; printf half; message status '\"status\":\"fine\"'; printf end");
    assert_eq!(spool.wait_prompt(id, 1).interaction.unwrap().prompt, "go");
    spool.answer(id, 1, "alice", "y");
    assert_eq!(spool.wait_final(id).state, State::Succeeded);
    assert_eq!(spool.lines(id), ["Doing it...", "go [y/n]: ", "got:y", "half", "end"]);
    assert_eq!(spool.output_log(id), "Doing it...\ngo [y/n]: \n[alice answered: y]\ngot:y\nhalf\nend\n");
}

#[test]
fn bytes_that_are_no_text_wedge_nothing() {
    let spool = HostileSpool::new();
    let id = spool.shell(r#"printf 'a\377\376b\000c\n\200\n'; message line '"line":"\u0000"'; head -c 300000 /dev/urandom; echo; ask go"#);
    spool.wait_prompt(id, 1);
    spool.answer(id, 1, "alice", "y");
    assert_eq!(spool.wait_final(id).state, State::Succeeded);
    let lines = spool.lines(id);
    assert_eq!(lines[..3], ["a\u{fffd}\u{fffd}b\0c", "\u{fffd}", "\0"]);
    assert_eq!(lines.last().unwrap(), "got:y");
}

#[test]
fn a_line_of_100_megabytes_needs_little_memory() {
    let spool = HostileSpool::new();
    let id = spool.python("for _ in range(100): put(b'x' * 1_000_000)\nput('\\nend\\n')\ngate('measured')");
    spool.wait_line(id, "end");
    let peak = peak_memory(&spool, id);
    spool.open_gate("measured");
    assert_eq!(spool.wait_final(id).state, State::Succeeded);
    let (mut text, mut lines) = (0, 0);
    for line in spool.line_records(id) {
        assert!(line.line.len() <= 64 << 10);
        text += line.line.len();
        lines += usize::from(!line.continued && !line.partial);
    }
    assert_eq!((text, lines), (100_000_000 + 3, 2), "nothing is missing");
    assert_eq!(fs::metadata(spool.job(id).directory().join("output.log")).unwrap().len(), 100_000_005);
    assert!(peak < MEMORY, "{peak} KiB");
}

#[test]
fn an_endless_message_needs_little_memory_and_hides_its_rest() {
    let spool = HostileSpool::new();
    let id = spool.python(
        "put('{\"type\":\"line\",\"sensitive\":true,\"line\":\"')\nfor _ in range(40): put(b'SECRET ' * 140_000)\n\
         put('\",\"iokey\":\"' + KEY + '\"}\\nend\\n')\ngate('measured')",
    );
    spool.wait_line(id, "end");
    let peak = peak_memory(&spool, id);
    spool.open_gate("measured");
    spool.wait_final(id);
    assert!(spool.line_records(id).iter().all(|line| line.sensitive || !line.line.contains("SECRET")));
    assert_eq!(spool.output_log(id), "end\n");
    assert!(peak < MEMORY, "{peak} KiB");
}

#[test]
fn a_sensitive_line_of_a_megabyte_is_one_line_that_output_log_never_shows() {
    let spool = HostileSpool::new();
    let id = spool.python("put(message('line', line='diff ' * 200_000, sensitive=True) + '\\nshown\\n')");
    spool.wait_final(id);
    let records = spool.line_records(id);
    let (shown, hidden) = records.split_last().unwrap();
    assert!(hidden.iter().all(|line| line.sensitive));
    assert_eq!(hidden.iter().filter(|line| !line.continued).count(), 1);
    assert_eq!(hidden.iter().map(|line| line.line.len()).sum::<usize>(), 1_000_000);
    assert_eq!((shown.line.as_str(), shown.sensitive), ("shown", false));
    assert_eq!(spool.output_log(id), "shown\n");
}

#[test]
fn a_progress_bar_that_rewrites_its_line_is_stored_in_its_last_state() {
    let spool = HostileSpool::new();
    let id = spool.python("for n in range(20_001): put(f'\\r{n} of 20000')\nput('\\ndone\\n')");
    spool.wait_final(id);
    let finished: Vec<String> =
        spool.line_records(id).into_iter().filter(|line| !line.partial).map(|line| line.line).collect();
    assert_eq!(finished, ["20000 of 20000", "done"]);
    assert_eq!(spool.output_log(id), "20000 of 20000\ndone\n");
}

#[test]
fn output_without_a_newline_is_shown_while_the_job_waits_and_complete_at_the_end() {
    let spool = HostileSpool::new();
    let id = spool.shell("printf 'Password: '; gate one; printf 'ok'; gate two; printf '.'");
    wait_for("it is shown", || spool.lines(id).first().filter(|line| *line == "Password: ").cloned());
    wait_for("tail -f shows it", || (spool.output_log(id) == "Password: ").then_some(()));
    spool.open_gate("one");
    wait_for("more is shown", || (spool.lines(id).concat() == "Password: ok").then_some(()));
    spool.open_gate("two");
    spool.wait_final(id);
    assert_eq!(spool.lines(id).concat(), "Password: ok.");
    assert_eq!(spool.output_log(id), "Password: ok.\n");
}

#[test]
fn a_job_that_closes_its_output_ends_with_its_process() {
    let spool = HostileSpool::new();
    let id = spool.shell("echo before; exec >&- 2>&-; gate end; exit 7");
    spool.wait_line(id, "before");
    assert_eq!(spool.status(id).unwrap().state, State::Running);
    spool.open_gate("end");
    assert_eq!(spool.wait_final(id).exit_status, Some(7));
}

#[test]
fn two_processes_that_write_at_once_lose_no_prompt_and_show_no_secret() {
    let spool = HostileSpool::new();
    // As Python's print does with more than its buffer: the text in one call, the newline in the next.
    let id = spool.python(
        "put(question('one?' + 'x' * 9000))\nput('noise\\n')\nput('\\n')\nput('got:' + answer() + '\\n')\n\
         put('noise ' + question('two?'))\nput('\\n')\nput('got:' + answer() + '\\n')\n\
         secret = message('line', line='SECRET ' * 3000, sensitive=True)\n\
         put(secret[:9000])\nput('noise in between\\n')\nput(secret[9000:] + '\\n')\n\
         put(secret + question('three?'))\nput('\\n')\nput('got:' + answer() + '\\n')",
    );
    for number in 1..=3 {
        spool.wait_prompt(id, number);
        spool.answer(id, number, "alice", "y");
    }
    assert_eq!(spool.wait_final(id).state, State::Succeeded);
    let lines = spool.lines(id);
    assert_eq!(lines.iter().filter(|line| *line == "got:y").count(), 3);
    assert!(lines.iter().any(|line| line.starts_with("noise")));
    assert!(spool.line_records(id).iter().all(|line| line.sensitive || !line.line.contains("SECRET")));
    assert!(!spool.output_log(id).contains("SECRET"));
}

#[test]
fn many_writers_at_once_get_all_their_prompts_and_lines_through() {
    let spool = HostileSpool::new();
    let id = spool.python(
        "children = [subprocess.Popen(['sh', '-c', 'for i in $(seq 500); do echo noise; done']) for _ in range(3)]\n\
         for n in range(5): put(question(f'{n}?') + '\\n'); put('got:' + answer() + '\\n')\n\
         for child in children: child.wait()",
    );
    for number in 1..=5 {
        spool.wait_prompt(id, number);
        spool.answer(id, number, "alice", "y");
    }
    assert_eq!(spool.wait_final(id).state, State::Succeeded);
    let lines = spool.lines(id);
    assert_eq!(lines.iter().filter(|line| *line == "noise").count(), 1500);
    assert_eq!(lines.iter().filter(|line| *line == "got:y").count(), 5);
}

#[test]
fn a_key_that_a_job_prints_in_any_way_is_in_no_file() {
    let spool = HostileSpool::new();
    let id = spool.python(
        "put('key: ' + KEY + '\\n')\nfor byte in KEY: put(byte)\nput('\\n')\nput(KEY[:30])\ntime.sleep(0.5)\n\
         put(KEY[30:] + '\\n')\nput('x' * 65_500 + KEY + '\\n')\nput(message('line', line=KEY) + '\\n')\n\
         put(message('status', status='is ' + KEY) + '\\n')\n\
         put(message('progress', progress={'name': KEY, KEY: 1}) + '\\n')\n\
         put(message('interaction', subtype='input_line', prompt=KEY) + '\\n')\nput(message('nonsense', x=KEY) + '\\n')\n\
         put('{\"type\":\"line\",\"line\":\"torn ' + KEY + '\\n')\nput('\\r' + KEY + '\\r' + KEY)\nput(KEY)",
    );
    assert_eq!(spool.wait_final(id).state, State::Succeeded);
    assert!(spool.lines(id).concat().contains("[key removed]"));
    assert!(spool.log(id).iter().any(|record| matches!(record.kind, RecordKind::Interaction { .. })));
}

#[test]
fn the_limit_of_a_log_is_for_all_that_is_kept_of_the_output() {
    let spool = HostileSpool::with_configuration(
        "[job_types.limited]\ncommand = [\"sh\", \"-c\", \"{script}\"]\nmax_log = \"200kB\"\n\
         params = [{ name = \"script\", kind = \"string\" }]\n",
    );
    let size = |id: JobId| {
        let size = |name: &str| fs::metadata(spool.job(id).directory().join(name)).unwrap().len();
        size("log.jsonl") + size("output.log")
    };
    let id = spool.shell_as("limited", "yes \"$(printf %01000d 0)\" | head -n 1000");
    assert!(spool.wait_final(id).dropped_bytes > 800_000);
    let long_lines = size(id);
    assert!((190_000..210_000).contains(&long_lines), "{long_lines}");

    // Empty lines cost little more than they are.
    let id = spool.shell_as("limited", "head -c 50000 /dev/zero | tr '\\0' '\\n'");
    assert_eq!(spool.wait_final(id).dropped_bytes, 0);
    let output = fs::read_to_string(spool.job(id).directory().join("output.log")).unwrap();
    assert_eq!((output.len(), output.trim()), (50_000, ""));
}

#[test]
fn a_log_at_its_limit_keeps_the_prompts_the_messages_and_the_end() {
    let spool = HostileSpool::with_configuration(
        "[job_types.limited]\ncommand = [\"sh\", \"-c\", \"{script}\"]\nmax_log = \"20kB\"\n\
         params = [{ name = \"script\", kind = \"string\" }]\n",
    );
    let id = spool.shell_as("limited", "seq 10000; ask go; message status '\"status\":\"late\"'; exit 3");
    spool.wait_prompt(id, 1);
    spool.answer(id, 1, "alice", "y");
    let status = spool.wait_final(id);
    assert_eq!(status.exit_status, Some(3));
    assert!(status.dropped_bytes > 10_000, "{}", status.dropped_bytes);
    let limits: Vec<_> = spool.notes(id).into_iter().filter(|note| note.contains("(max_log)")).collect();
    assert_eq!(limits, ["the log has reached 20000 bytes (max_log); further output is not kept"]);
    assert!(!spool.lines(id).contains(&"got:y".to_owned()), "that is output");
    let kinds = spool.log(id).into_iter().map(|record| record.kind);
    let kept = kinds.filter(|kind| !matches!(kind, RecordKind::Line(_) | RecordKind::Note { .. })).count();
    assert_eq!(kept, 4, "question, answer, status, end");
    assert!(fs::metadata(spool.job(id).directory().join("log.jsonl")).unwrap().len() < 1 << 20);
}

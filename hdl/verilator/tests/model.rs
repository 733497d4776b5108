//! Models built from Verilog text: ports, time, traces, plus arguments, failures, and the checks.

use pinring_verilator::{Error, Model, Port, Spec, lint, yosys_check};

const COUNTER: &str = "module counter(input wire clock, input wire reset, input wire [6:0] step, output reg [39:0] count);
    initial count = 0;
    always @(posedge clock) if (reset) count <= 0; else count <= count + {33'd0, step};
endmodule
";

fn counter() -> Spec {
    Spec {
        verilog: COUNTER.into(),
        top: "counter".into(),
        ports: vec![
            Port::input("clock", 1),
            Port::input("reset", 1),
            Port::input("step", 7),
            Port::output("count", 40),
        ],
        ..Spec::default()
    }
}

#[test]
fn counter_counts() -> Result<(), Error> {
    let model = Model::build(&counter())?;
    let [clock, reset, step, count] =
        ["clock", "reset", "step", "count"].map(|name| model.port(name).unwrap());
    let mut instance = model.instance()?;
    instance.set(step, 100);
    instance.cycle(clock, 2_000, 3)?;
    assert_eq!(instance.get(count), 300);
    assert_eq!(instance.time(), 3 * 4_000);
    // Bits above the width are cut off: 0x81 is 1 in 7 bits.
    instance.set(step, 0x81);
    instance.set(clock, 1);
    instance.eval()?;
    assert_eq!(instance.get(count), 301);
    instance.set(clock, 0);
    instance.set(reset, 1);
    instance.eval()?;
    assert_eq!(instance.get(count), 301);
    // An input that changes together with the clock is seen by the edge.
    instance.set(reset, 0);
    instance.set(step, 1 << 6);
    instance.set(clock, 1);
    instance.eval()?;
    assert_eq!(instance.get(count), 301 + 64);
    // A second instance has a state of its own.
    let mut other = model.instance()?;
    other.cycle(clock, 2_000, 1)?;
    assert_eq!((other.get(count), instance.get(count)), (0, 365));
    Ok(())
}

#[test]
fn instances_run_in_parallel_threads() -> Result<(), Error> {
    let model = Model::build(&counter())?;
    let counts: Vec<u64> = std::thread::scope(|scope| {
        let threads: Vec<_> = (1..=8)
            .map(|step| {
                let model = model.clone();
                scope.spawn(move || {
                    let mut instance = model.instance().unwrap();
                    instance.set(2, step);
                    instance.cycle(0, 1, 10_000).unwrap();
                    instance.get(3)
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert_eq!(
        counts,
        (1..=8).map(|step| step * 10_000).collect::<Vec<_>>()
    );
    Ok(())
}

const WIDE: &str = "module wide(input wire clock, input wire [511:0] a, input wire [69:0] b, output reg [511:0] x, output wire [69:0] y);
    always @(posedge clock) x <= {a[479:0], a[511:480]};
    assign y = ~b;
endmodule
";

/// The same ports as the list in `wide_ports`, as a caller's own struct.
#[repr(C)]
#[derive(Default)]
struct WidePorts {
    clock: u32,
    a: [u32; 16],
    b: [u32; 3],
    x: [u32; 16],
    y: [u32; 3],
}

#[test]
fn wide_ports() -> Result<(), Error> {
    let spec = Spec {
        verilog: WIDE.into(),
        top: "wide".into(),
        ports: vec![
            Port::input("clock", 1),
            Port::input("a", 512),
            Port::input("b", 70),
            Port::output("x", 512),
            Port::output("y", 70),
        ],
        ..Spec::default()
    };
    let model = Model::build(&spec)?;
    let mut instance = model.instance()?;
    let word: Vec<u32> = (1..=16).collect();
    instance.wide_mut(1).copy_from_slice(&word);
    instance.wide_mut(2).copy_from_slice(&[1, 2, u32::MAX]);
    instance.cycle(0, 1, 1)?;
    let rotated: Vec<u32> = std::iter::once(16).chain(1..=15).collect();
    assert_eq!(instance.wide(3), rotated);
    assert_eq!(instance.wide(4), [!1, !2, 0]);

    let mut ports = WidePorts {
        clock: 1,
        a: [9; 16],
        ..WidePorts::default()
    };
    assert_eq!(size_of::<WidePorts>(), 4 * model.layout().words());
    // SAFETY: a `repr(C)` struct of nothing but u32, seen as its words while `ports` is not used otherwise.
    let words = unsafe {
        std::slice::from_raw_parts_mut((&raw mut ports).cast::<u32>(), model.layout().words())
    };
    instance.eval_on(words)?;
    assert_eq!(
        (ports.x, ports.y, ports.b),
        ([9; 16], [u32::MAX, u32::MAX, 0x3f], [0; 3])
    );
    Ok(())
}

#[test]
fn trace_is_written() -> Result<(), Error> {
    let mut instance = Model::build(&Spec {
        trace: true,
        ..counter()
    })?
    .instance()?;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("counter.vcd");
    instance.open_trace(&path, 99)?;
    instance.set(2, 3);
    instance.cycle(0, 2_000, 2)?;
    instance.set_time(20_000);
    instance.dump_trace()?;
    instance.close_trace()?;
    let trace = std::fs::read_to_string(&path).unwrap();
    assert!(
        trace.contains("1ps")
            && trace.contains("#2000")
            && trace.contains("#8000")
            && trace.contains("#20000"),
        "{trace}"
    );
    assert!(trace.contains(&format!("b{:040b}", 6)), "{trace}");

    let error = instance
        .open_trace("/nonexistent/x.vcd".as_ref(), 99)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("/nonexistent/x.vcd: cannot create the file"),
        "{error}"
    );
    let error = Model::build(&counter())?
        .instance()?
        .open_trace(&path, 99)
        .unwrap_err()
        .to_string();
    assert!(error.contains("built without --trace"), "{error}");
    Ok(())
}

const MEMORY: &str = "module memory(input wire clock, input wire stop, output wire [31:0] word, output wire [63:0] now);
    reg [31:0] memory [0:3];
    reg [8*256-1:0] image;
    initial if ($value$plusargs(\"image=%s\", image)) $readmemh(image, memory);
    assign word = memory[`INDEX];
    reg [63:0] at = 0;
    always @(posedge clock) begin at <= $time; if (stop) $stop; end
    assign now = at;
endmodule
";

fn memory(plusargs: Vec<String>) -> Spec {
    Spec {
        verilog: MEMORY.into(),
        top: "memory".into(),
        ports: vec![
            Port::input("clock", 1),
            Port::input("stop", 1),
            Port::output("word", 32),
            Port::output("now", 64),
        ],
        defines: vec![("INDEX".into(), "2".into())],
        plusargs,
        ..Spec::default()
    }
}

#[test]
fn plusargs_defines_time_and_stop() -> Result<(), Error> {
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("image.hex");
    std::fs::write(&image, "1\n2\ncafe\n4\n").unwrap();
    let mut instance =
        Model::build(&memory(vec![format!("+image={}", image.display())]))?.instance()?;
    instance.cycle(0, 500, 2)?;
    assert_eq!(instance.get(2), 0xcafe);
    assert_eq!(instance.get(3), 1500);
    instance.set(1, 1);
    let error = instance.cycle(0, 500, 1).unwrap_err().to_string();
    assert!(error.contains("design.v:7: Verilog $stop"), "{error}");
    // A model that failed stays failed.
    instance.set(1, 0);
    assert_eq!(instance.eval().unwrap_err().to_string(), error);
    Ok(())
}

#[test]
fn missing_memory_image_is_an_error() -> Result<(), Error> {
    let model = Model::build(&memory(vec!["+image=/nonexistent.hex".into()]))?;
    let error = model.instance().err().unwrap().to_string();
    assert!(error.contains("/nonexistent.hex"), "{error}");
    Ok(())
}

#[test]
fn ports_that_do_not_match_are_refused() {
    for (port, words) in [
        (Port::input("step", 8), "expects 7 bits"),
        (Port::input("stride", 7), "stride"),
    ] {
        let mut spec = counter();
        spec.ports[2] = port;
        let error = Model::build(&spec).err().unwrap().to_string();
        assert!(error.contains(words), "{error}");
    }
    let mut spec = counter();
    spec.ports.pop();
    assert!(
        Model::build(&spec)
            .err()
            .unwrap()
            .to_string()
            .contains("missing pin: 'count'")
    );
}

#[test]
fn undeclared_names_are_refused_everywhere() {
    let verilog = "module m(input wire a, output wire b); assign c = a; assign b = c; endmodule";
    let ports = vec![Port::input("a", 1), Port::output("b", 1)];
    let spec = Spec {
        verilog: verilog.into(),
        top: "m".into(),
        ports,
        ..Spec::default()
    };
    for error in [
        lint(verilog, "m").unwrap_err(),
        yosys_check(verilog, "m").unwrap_err(),
        Model::build(&spec).err().unwrap(),
    ] {
        assert!(matches!(error, Error::Refused { .. }), "{error}");
        assert!(error.to_string().contains("implicit"), "{error}");
    }
}

#[test]
fn checks_pass_good_and_refuse_bad_designs() -> Result<(), Error> {
    lint(COUNTER, "counter")?;
    yosys_check(COUNTER, "counter")?;
    // Two drivers of one register; a latch; a wire without a driver.
    let two = "module m(input wire c, output reg q); always @(posedge c) q <= 0; always @(posedge c) q <= 1; endmodule";
    let latch = "module m(input wire a, output reg q); always @(*) if (a) q = 1; endmodule";
    let open = "module m(output wire q); wire w; assign q = w; endmodule";
    for bad in [two, latch] {
        assert!(
            matches!(lint(bad, "m"), Err(Error::Refused { .. })),
            "{bad}"
        );
    }
    for bad in [two, open] {
        assert!(
            matches!(yosys_check(bad, "m"), Err(Error::Refused { .. })),
            "{bad}"
        );
    }
    Ok(())
}

// AsyncFifo beside a queue, between two clocks that do what they like. Its users heed `full` and `empty`.
`include "rules.svh"

module harness(input write_clock, input read_clock, input write, input read, input [3:0] data_in, input pick);
    wire full, empty;
    wire [3:0] data_out;
    async_fifo dut(
        .write_clock(write_clock), .write_reset(1'b0), .data_in(data_in), .write(write), .full(full),
        .read_clock(read_clock), .read_reset(1'b0), .data_out(data_out), .read(read), .empty(empty));

    `ASSUME(!read || !empty)
    `ASSUME(!write || !full)

    // Words written and read, and one word, any.
    reg [3:0] written = 0, gone = 0, number;
    reg tracked = 0, out = 0;
    reg [3:0] word;
    wire [3:0] held = written - gone;
    always @(posedge write_clock) if (write) begin
        written <= written + 1;
        if (!tracked && pick) begin
            tracked <= 1;
            number <= written;
            word <= data_in;
        end
    end
    wire its_turn = tracked && !out && number == gone;
    always @(posedge read_clock) if (read) begin
        gone <= gone + 1;
        if (its_turn) out <= 1;
    end

    `PROPERTY(no_overflow, held <= 4)
    `PROPERTY(no_underflow, empty || held != 0)
    `PROPERTY(order, !its_turn || empty || data_out == word)

    `REACHED(fills, full && held == 4)
    `REACHED(second_word_leaves, out && number == 1)
    `REACHED(empties_again, empty && held == 0 && gone == 2)
endmodule

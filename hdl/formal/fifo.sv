// A FIFO of one clock beside a queue. Its user does not write when it is full, unless a read makes room, nor read when it is empty.
`include "rules.svh"

module harness(input clock, input reset, input write, input read, input [3:0] data_in, input pick);
    wire full, empty;
    wire [3:0] data_out;
    wire [2:0] count;
    `FIFO dut(
        .clock(clock), .reset(reset), .data_in(data_in), .write(write), .full(full), .data_out(data_out), .read(read),
        .empty(empty), .count(count));

    `ASSUME(!read || !empty)
    `ASSUME(!write || !full || read)

    // The queue: how many words it holds, and of one word, any, how many are ahead of it.
    reg [3:0] held = 0;
    reg tracked = 0;
    reg [3:0] word, ahead;
    always @(posedge clock) begin
        held <= held + write - read;
        if (!tracked) begin
            tracked <= write && pick;
            word <= data_in;
            ahead <= held - read;
        end else if (read) begin
            tracked <= ahead != 0;
            ahead <= ahead - 1;
        end
        if (reset) begin
            held <= 0;
            tracked <= 0;
        end
    end

    `PROPERTY(no_overflow, held <= 4)
    `PROPERTY(no_underflow, !read || held != 0)
    `PROPERTY(order, !(tracked && ahead == 0 && read) || data_out == word)
    `PROPERTY(count_is_safe, count <= held && empty == (count == 0))

    `REACHED(fills, full && held == 4)
    `REACHED(writes_while_full, full && write && read)
    `REACHED(last_of_four_leaves, tracked && ahead == 0 && read && held == 4)
    `REACHED(reset_of_a_full_one, full && reset)
endmodule

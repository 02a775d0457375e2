`timescale 1ns/1ns
module top;
reg [2:0] level = 0;
reg [5:0] got = 0, work;
reg [3:0] stops = 0;
reg odd = 1'bx;
event stop;
always #4 level = level + 3'd1;
always begin wait (level == 3'd5) got = got + 6'd1; wait (level == 3'd2); end
always begin
    work = 1;
    begin : running
        forever #6 work = work * 6'd2 + 1'b1;
    end
    @(stop);
end
initial begin #1; forever begin odd = level[0]; @(level); end end
initial begin
    while (stops < 4'd4) begin
        #31 disable running;
        stops = stops + 4'd1;
        #5 -> stop;
    end
    #9 $display("%0d %b %0d", got, work, stops);
    $finish(0);
end
endmodule

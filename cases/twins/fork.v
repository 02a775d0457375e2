`timescale 1ns/1ns
module top;
reg [7:0] one = 0, two = 0, three;
reg [3:0] deep = 4'bz, rounds = 0, heard = 0;
reg busy;
event go;
initial begin
    while (rounds < 4'd6) begin
        busy = 1;
        fork
            begin #7 one = one + rounds + 8'd5; -> go; end
            begin two = two + 8'd2; #(rounds * 8'd3) two = two * 8'd3; end
            begin
                #2;
                fork
                    #3 deep = {rounds, 2'bz1};
                    #5 three = {rounds, 4'bx0z1};
                join
                three = three ~^ 8'd1;
            end
        join
        busy = 0;
        rounds = rounds + 4'd1;
        #4;
    end
    $display("%0d %0d %b %b %0d", one, two, three, deep, heard);
    $finish(0);
end
always @(go) heard = heard + 4'd1;
endmodule

import java.io.BufferedReader;
import java.io.File;
import java.io.FileInputStream;
import java.io.InputStreamReader;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.Statement;

/** Jdbc PATH: a Java program that uses a database by sqlite-jdbc, and does what run tells it. */
public class Jdbc {
    private final String path;
    private Connection connection;
    private FileInputStream reader;

    private Jdbc(String path) {
        this.path = path;
    }

    private void open() throws Exception {
        connection = DriverManager.getConnection("jdbc:sqlite:" + path);
        try (Statement statement = connection.createStatement()) {
            statement.execute("create table if not exists ours(a)");
            statement.execute("insert into ours values (1)");
        }
    }

    private void keep() throws Exception {
        reader = new FileInputStream(path);
        reader.read(new byte[16]);
    }

    private interface Work {
        void run() throws Exception;
    }

    private static Thread onAThread(Work work) {
        Thread thread = new Thread(() -> {
            try {
                work.run();
            } catch (Exception error) {
                error.printStackTrace();
                System.exit(1);
            }
        });
        thread.start();
        return thread;
    }

    private void obey(String command) throws Exception {
        switch (command) {
            case "open" -> open();
            case "close" -> connection.close();
            case "keep" -> keep();
            case "drop" -> reader.close();
            case "list" -> new File(path).getParentFile().list();
            case "open on a thread" -> onAThread(this::open).join();
            case "close on a thread" -> {
                Thread closing = onAThread(connection::close);
                Thread.sleep(200);
                keep();
                closing.join();
                reader.close();
            }
            default -> throw new IllegalArgumentException(command);
        }
    }

    public static void main(String[] arguments) throws Exception {
        Jdbc program = new Jdbc(arguments[0]);
        try (Connection memory = DriverManager.getConnection("jdbc:sqlite::memory:");
                ResultSet version = memory.createStatement().executeQuery("select sqlite_version()")) {
            System.out.println(version.getString(1));
        }
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            program.obey(line);
            System.out.println("done");
        }
    }
}
